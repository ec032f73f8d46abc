// A Value is what an expression of a template has as its value: one of Python's kinds, as far as
// templates meet them. Texts, lists and dicts are immutable and shared; a Namespace alone can
// change.
//
// A Namespace belongs to the rendering that made it, and so do the Values that hold it. All other
// Values may be shared between threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"
#include "text/jinja/traced_text.h"

namespace kvasir::text::jinja {

struct List;
struct Dict;
struct Namespace;
struct Callable;
class Loop;

class Value {
 public:
  // What Jinja calls undefined: prints as nothing, is false and empty; all else is an error that
  // gives the reason.
  struct Undefined {
    std::shared_ptr<const std::string> reason;
  };
  struct None {};

  Value() : data_(None{}) {}
  Value(bool value) : data_(value) {}
  Value(int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  Value(TracedText value) : data_(std::make_shared<const TracedText>(std::move(value))) {}
  Value(std::shared_ptr<const List> value) : data_(std::move(value)) {}
  Value(std::shared_ptr<const Dict> value) : data_(std::move(value)) {}
  Value(Namespace* value) : data_(value) {}
  Value(std::shared_ptr<const Callable> value) : data_(std::move(value)) {}
  Value(std::shared_ptr<Loop> value) : data_(std::move(value)) {}
  Value(const void*) = delete;  // else any pointer would be a bool

  static Value undefined(std::string reason);
  static Value text(std::string_view bytes, Origin origin = Origin::kVariable) {
    return TracedText(std::string(bytes), origin);
  }
  static Value list(std::vector<Value> items);
  static Value tuple(std::vector<Value> items);
  // Strings, and what they are inside of, have this origin. REQUIRES: not nested over 64 levels.
  static Value from_json(const Json& json, Origin origin = Origin::kVariable);

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  const std::string& undefined_reason() const { return *std::get<Undefined>(data_).reason; }
  // Each returns null when the value is of another kind.
  const bool* as_bool() const { return std::get_if<bool>(&data_); }
  const int64_t* as_integer() const { return std::get_if<int64_t>(&data_); }
  const double* as_double() const { return std::get_if<double>(&data_); }
  const TracedText* as_text() const { return pointee<const TracedText>(); }
  const List* as_list() const { return pointee<const List>(); }
  const Dict* as_dict() const { return pointee<const Dict>(); }
  const Callable* as_callable() const { return pointee<const Callable>(); }
  Loop* as_loop() const { return pointee<Loop>(); }
  Namespace* as_namespace() const {
    Namespace* const* space = std::get_if<Namespace*>(&data_);
    return space == nullptr ? nullptr : *space;
  }

  // Python's name of the type: "str", "NoneType", "dict".
  std::string_view type_name() const;
  // How many lists, dicts and what else holds values lie inside each other, this one included; 0
  // for a plain value. A namespace is one too: it does not own what its members hold.
  int depth() const;
  // Whether both are the same object, as Python's `is` says of what can be told apart.
  bool is_same_object(const Value& other) const;

 private:
  template <class T>
  T* pointee() const {
    const auto* pointer = std::get_if<std::shared_ptr<T>>(&data_);
    return pointer == nullptr ? nullptr : pointer->get();
  }

  std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const TracedText>,
               std::shared_ptr<const List>, std::shared_ptr<const Dict>, Namespace*,
               std::shared_ptr<const Callable>, std::shared_ptr<Loop>>
      data_;
};

enum class ListKind : uint8_t {
  kList,
  kTuple,
  kRange,
  kKeys,
  kValues,
  kItems,
  kGenerator,  // gives each item once
};

// "list", "dict_items"
std::string_view type_name_of(ListKind kind);

struct List {
  List(ListKind of_kind, std::vector<Value> of_items);

  ListKind kind;
  std::vector<Value> items;
  int depth = 1;
  int64_t range_step = 1;  // of a range, for those that are empty too
  int64_t range_start = 0;
  int64_t range_stop = 0;
  mutable size_t taken = 0;  // items that a generator has given
};

// Keeps the order of insertion.
struct Dict {
  using Member = std::pair<Value, Value>;

  // Null when there is none. The first of those that have one name. A text for a key; keys of other
  // kinds are found with find_key (operators.h).
  const Value* find(std::string_view name) const;
  void add(Value key, Value value);

  std::vector<Member> members;
  int depth = 1;

 private:
  std::map<std::string, size_t, std::less<>> index_;  // of text keys
};

// What namespace() makes.
struct Namespace {
  std::vector<std::pair<std::string, Value>> members;

  Value* find(std::string_view name);
  void set(std::string_view name, Value value);
};

class Interpreter;

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// A macro, a method of a value, or a function that templates are given.
struct Callable {
  std::string name;
  std::function<Value(Interpreter&, const Arguments&)> call;
  std::string repr;
  int depth = 0;  // of what it holds
};

}  // namespace kvasir::text::jinja
