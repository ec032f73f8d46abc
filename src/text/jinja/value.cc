#include "text/jinja/value.h"

#include <algorithm>

#include "text/jinja/loop.h"

namespace kvasir::text::jinja {
namespace {

Value list_from_json(const Json::Array& array, Origin origin) {
  std::vector<Value> items;
  items.reserve(array.size());
  for (const Json& item : array) items.push_back(Value::from_json(item, origin));
  return Value::list(std::move(items));
}

Value dict_from_json(const Json::Object& object, Origin origin) {
  auto dict = std::make_shared<Dict>();
  for (const auto& [name, member] : object) {
    dict->add(Value::text(name, origin), Value::from_json(member, origin));
  }
  return Value(std::shared_ptr<const Dict>(std::move(dict)));
}

}  // namespace

std::string_view type_name_of(ListKind kind) {
  switch (kind) {
    case ListKind::kList:
      return "list";
    case ListKind::kTuple:
      return "tuple";
    case ListKind::kRange:
      return "range";
    case ListKind::kKeys:
      return "dict_keys";
    case ListKind::kValues:
      return "dict_values";
    case ListKind::kItems:
      return "dict_items";
    case ListKind::kGenerator:
      break;
  }
  return "generator";
}

Value Value::undefined(std::string reason) {
  Value value;
  value.data_ = Undefined{std::make_shared<const std::string>(std::move(reason))};
  return value;
}

Value Value::list(std::vector<Value> items) {
  return std::make_shared<const List>(ListKind::kList, std::move(items));
}

Value Value::tuple(std::vector<Value> items) {
  return std::make_shared<const List>(ListKind::kTuple, std::move(items));
}

Value Value::from_json(const Json& json, Origin origin) {
  if (const bool* boolean = json.as_bool()) return *boolean;
  if (const int64_t* integer = json.as_integer()) return *integer;
  if (const double* real = json.as_double()) return *real;
  if (const std::string* string = json.as_string()) return text(*string, origin);
  if (const Json::Array* array = json.as_array()) return list_from_json(*array, origin);
  if (const Json::Object* object = json.as_object()) return dict_from_json(*object, origin);
  return {};
}

std::string_view Value::type_name() const {
  if (const List* list = as_list()) return type_name_of(list->kind);
  // In the order of data_; the list's place is never read.
  constexpr std::string_view kNames[] = {"Undefined", "NoneType", "bool",       "int",
                                         "float",     "str",      "list",       "dict",
                                         "Namespace", "function", "LoopContext"};
  return kNames[data_.index()];
}

int Value::depth() const {
  if (const List* list = as_list()) return list->depth;
  if (const Dict* dict = as_dict()) return dict->depth;
  if (const Callable* callable = as_callable()) return callable->depth;
  if (const Loop* loop = as_loop()) return loop->depth();
  return 0;
}

bool Value::is_same_object(const Value& other) const {
  if (data_.index() != other.data_.index()) return false;
  if (const bool* boolean = as_bool()) return *boolean == *other.as_bool();
  if (const int64_t* integer = as_integer()) return *integer == *other.as_integer();
  if (const TracedText* one = as_text()) return one->bytes() == other.as_text()->bytes();
  return is_none() ||
         (as_list() == other.as_list() && as_dict() == other.as_dict() &&
          as_namespace() == other.as_namespace() && as_callable() == other.as_callable() &&
          as_loop() == other.as_loop() && !is_undefined() && as_double() == nullptr);
}

List::List(ListKind of_kind, std::vector<Value> of_items)
    : kind(of_kind), items(std::move(of_items)) {
  for (const Value& item : items) depth = std::max(depth, 1 + item.depth());
}

const Value* Dict::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &members[found->second].second;
}

void Dict::add(Value key, Value value) {
  depth = std::max({depth, 1 + key.depth(), 1 + value.depth()});
  if (const TracedText* name = key.as_text()) index_.emplace(name->bytes(), members.size());
  members.emplace_back(std::move(key), std::move(value));
}

Value* Namespace::find(std::string_view name) {
  const auto found =
      std::ranges::find_if(members, [name](const auto& member) { return member.first == name; });
  return found == members.end() ? nullptr : &found->second;
}

void Namespace::set(std::string_view name, Value value) {
  if (Value* present = find(name)) {
    *present = std::move(value);
  } else {
    members.emplace_back(name, std::move(value));
  }
}

}  // namespace kvasir::text::jinja
