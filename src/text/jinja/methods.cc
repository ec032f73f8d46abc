#include "text/jinja/methods.h"

#include <algorithm>
#include <string>

#include "text/jinja/loop.h"
#include "text/jinja/operators.h"
#include "text/jinja/parameters.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_methods.h"

namespace kvasir::text::jinja {
namespace {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

Value forbidden(const Value& object, std::string_view name) {
  return Value::undefined("access to attribute " + in_quotes(name) + " of '" +
                          std::string(object.type_name()) + "' object is unsafe");
}

Value unsupported(Interpreter& interpreter, const std::string& what) {
  return interpreter.budget().fail_unsupported("unsupported: " + what);
}

// A method that keeps the object it belongs to.
template <class Method>
Value bound(Interpreter& interpreter, const Value& object, std::string_view name, Method method) {
  return interpreter.make_callable(
      std::string(name),
      [object, method](Interpreter& self, const Arguments& arguments) {
        return method(self, object, arguments);
      },
      object.depth());
}

// ---- dicts --------------------------------------------------------------------------------------

Value dict_get(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "get", arguments, {"key", "default"}, 1);
  const Value* found = find_key(*object.as_dict(), *parameters.find(0), interpreter.budget());
  if (found != nullptr) return *found;
  return parameters.find(1) == nullptr ? Value() : *parameters.find(1);
}

Value dict_view(Interpreter& interpreter, const Value& object, ListKind kind) {
  std::vector<Value> items;
  for (const auto& [key, value] : object.as_dict()->members) {
    if (!interpreter.budget().take_items(2)) return {};
    if (kind == ListKind::kItems) {
      items.push_back(Value::tuple({key, value}));
    } else {
      items.push_back(kind == ListKind::kKeys ? key : value);
    }
  }
  return make_list(kind, std::move(items), interpreter.budget());
}

template <ListKind kind>
Value dict_view_method(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "dict view", arguments, {});
  return dict_view(interpreter, object, kind);
}

Value same_object(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "copy", arguments, {});
  return object;
}

std::optional<Value> dict_method(Interpreter& interpreter, const Value& object,
                                 std::string_view name) {
  if (name == "get") return bound(interpreter, object, name, dict_get);
  if (name == "items") {
    return bound(interpreter, object, name, dict_view_method<ListKind::kItems>);
  }
  if (name == "keys") return bound(interpreter, object, name, dict_view_method<ListKind::kKeys>);
  if (name == "values") {
    return bound(interpreter, object, name, dict_view_method<ListKind::kValues>);
  }
  if (name == "copy") return bound(interpreter, object, name, same_object);
  if (is_one_of(name, {"clear", "pop", "popitem", "setdefault", "update"})) {
    return forbidden(object, name);
  }
  if (name == "fromkeys") return unsupported(interpreter, "dict.fromkeys()");
  return std::nullopt;
}

// ---- lists --------------------------------------------------------------------------------------

Value list_index(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "index", arguments, {"value"}, 1);
  const std::vector<Value>& items = object.as_list()->items;
  for (size_t i = 0; i < items.size(); ++i) {
    if (are_equal(items[i], *parameters.find(0), interpreter.budget())) {
      return static_cast<int64_t>(i);
    }
  }
  return interpreter.budget().fail_to_render("index(): the value is not in the list");
}

Value list_count(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "count", arguments, {"value"}, 1);
  int64_t count = 0;
  for (const Value& item : object.as_list()->items) {
    count += are_equal(item, *parameters.find(0), interpreter.budget()) ? 1 : 0;
  }
  return count;
}

std::optional<Value> list_method(Interpreter& interpreter, const Value& object,
                                 std::string_view name) {
  const ListKind kind = object.as_list()->kind;
  const bool is_view = kind == ListKind::kKeys || kind == ListKind::kValues ||
                       kind == ListKind::kItems || kind == ListKind::kGenerator;
  if (is_view) return std::nullopt;
  if (name == "index") return bound(interpreter, object, name, list_index);
  if (name == "count") return bound(interpreter, object, name, list_count);
  if (kind == ListKind::kRange) {
    if (name == "start") return object.as_list()->range_start;
    if (name == "stop") return object.as_list()->range_stop;
    if (name == "step") return object.as_list()->range_step;
  }
  if (kind != ListKind::kList) return std::nullopt;
  if (name == "copy") return bound(interpreter, object, name, same_object);
  const bool changes =
      is_one_of(name, {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"});
  return changes ? std::optional(forbidden(object, name)) : std::nullopt;
}

// ---- others -------------------------------------------------------------------------------------

std::optional<Value> method_of_text(Interpreter& interpreter, const Value& object,
                                    std::string_view name) {
  if (const TextMethod method = text_method(name)) {
    return bound(interpreter, object, name,
                 [method](Interpreter& self, const Value& text, const Arguments& arguments) {
                   return method(self, *text.as_text(), arguments);
                 });
  }
  if (is_python_text_method(name)) {
    return unsupported(interpreter, "str." + std::string(name) + "()");
  }
  return std::nullopt;
}

Value loop_cycle(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  if (arguments.positional.empty())
    return interpreter.budget().fail_to_render("cycle() has no items");
  const auto count = static_cast<int64_t>(arguments.positional.size());
  const Value index = *object.as_loop()->attribute("index0");
  interpreter.budget().take_steps(1);
  return arguments.positional[static_cast<size_t>(*index.as_integer() % count)];
}

}  // namespace

std::optional<Value> method_of(Interpreter& interpreter, const Value& object,
                               std::string_view name) {
  if (object.as_text() != nullptr) return method_of_text(interpreter, object, name);
  if (object.as_dict() != nullptr) return dict_method(interpreter, object, name);
  if (object.as_list() != nullptr) return list_method(interpreter, object, name);
  if (object.as_loop() != nullptr && name == "cycle") {
    return bound(interpreter, object, name, loop_cycle);
  }
  if (object.as_loop() != nullptr && name == "changed") {
    return unsupported(interpreter, "loop.changed()");
  }
  const bool is_number = integer_of(object) || object.as_double() != nullptr;
  if (is_number && is_one_of(name, {"real", "imag", "numerator", "denominator", "bit_length",
                                    "bit_count", "conjugate", "to_bytes", "from_bytes",
                                    "as_integer_ratio", "is_integer", "hex", "fromhex"})) {
    return unsupported(interpreter, "the attribute " + in_quotes(name) + " of a number");
  }
  return std::nullopt;
}

}  // namespace kvasir::text::jinja
