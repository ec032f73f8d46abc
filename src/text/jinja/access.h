// These functions reach into values as Jinja's sandbox lets templates do: attributes, items and
// slices. What is not there is undefined; what the sandbox forbids fails when it is used. Also how
// dicts and namespaces are made. Free functions; the Interpreter they are given is changed by its
// budget alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "text/jinja/interpreter.h"
#include "text/jinja/limits.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

// object.name: methods come before the members of a dict.
Value attribute_of(Interpreter& interpreter, const Value& object, std::string_view name);
// object[key]: members come before methods.
Value item_of(Interpreter& interpreter, const Value& object, const Value& key);
// A path such as "function.name" or "0.id", as filters take it.
Value path_of(Interpreter& interpreter, const Value& object, const Value& path);

struct SliceBounds {
  std::optional<int64_t> start;
  std::optional<int64_t> stop;
  std::optional<int64_t> step;
};
Value slice_of(const Value& object, const SliceBounds& bounds, Budget& budget);

// Fails for names that namespaces must not have.
void set_member(Namespace& space, std::string_view name, Value value, Budget& budget);

// Gathers a dict's members; one that comes again takes the place of the first.
class DictBuilder {
 public:
  explicit DictBuilder(Budget& budget) : budget_(budget) {}

  void set(Value key, Value value);
  Value finish() && { return make_dict(std::move(dict_), budget_); }

 private:
  Budget& budget_;
  Dict dict_;
};

}  // namespace kvasir::text::jinja
