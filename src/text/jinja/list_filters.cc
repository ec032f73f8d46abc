#include <algorithm>
#include <string>

#include "text/jinja/access.h"
#include "text/jinja/filter_tables.h"
#include "text/jinja/filters.h"
#include "text/jinja/operators.h"
#include "text/jinja/parameters.h"
#include "text/jinja/printing.h"

namespace kvasir::text::jinja {
namespace {

Value length(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "length", arguments, {});
  const auto result = length_of(input);
  if (!result) {
    return interpreter.budget().fail_to_render("object of type '" + std::string(input.type_name()) +
                                               "' has no len()");
  }
  return *result;
}

Value default_value(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "default", arguments,
                              {"default_value", "boolean"});
  const bool is_replaced = input.is_undefined() || (parameters.truth(1, false) && !is_true(input));
  if (!is_replaced) return input;
  return parameters.find(0) == nullptr ? Value(TracedText()) : *parameters.find(0);
}

Value list(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "list", arguments, {});
  return make_list(ListKind::kList, items_of(input, interpreter.budget()), interpreter.budget());
}

Value first(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "first", arguments, {});
  const List* generator = input.as_list();
  if (generator != nullptr && generator->taken < generator->items.size()) {
    // A generator gives away what is asked of it, and no more.
    const size_t index = generator->taken;
    if (generator->kind == ListKind::kGenerator) ++generator->taken;
    return generator->items[index];
  }
  const std::vector<Value> items = items_of(input, interpreter.budget());
  if (items.empty()) return Value::undefined("No first item, sequence was empty.");
  return items.front();
}

Value last(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "last", arguments, {});
  if (input.as_list() != nullptr && input.as_list()->kind == ListKind::kGenerator) {
    return interpreter.budget().fail_to_render("'generator' object is not reversible");
  }
  const std::vector<Value> items = items_of(input, interpreter.budget());
  if (items.empty()) return Value::undefined("No last item, sequence was empty.");
  return items.back();
}

Value reverse(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "reverse", arguments, {});
  if (input.as_text() != nullptr) {
    return slice_of(input, {std::nullopt, std::nullopt, -1}, interpreter.budget());
  }
  std::vector<Value> items = items_of(input, interpreter.budget());
  std::ranges::reverse(items);
  return make_list(ListKind::kGenerator, std::move(items), interpreter.budget());
}

Value items(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "items", arguments, {});
  std::vector<Value> pairs;
  if (const Dict* dict = input.as_dict()) {
    for (const auto& [key, value] : dict->members) {
      if (!interpreter.budget().take_items(2)) return {};
      pairs.push_back(Value::tuple({key, value}));
    }
  } else if (!input.is_undefined()) {
    return interpreter.budget().fail_to_render("Can only get item pairs from a mapping.");
  }
  return make_list(ListKind::kGenerator, std::move(pairs), interpreter.budget());
}

Value attr(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "attr", arguments, {"name"}, 1);
  if (parameters.text(0) == nullptr)
    return interpreter.budget().fail_to_render("attr() needs a string");
  const std::string& name = parameters.text(0)->bytes();
  // Members of a dict are no attributes.
  if (input.as_dict() != nullptr)
    return attribute_of(interpreter, Value(std::make_shared<const Dict>()), name);
  return attribute_of(interpreter, input, name);
}

// The arguments behind the first `count`.
Arguments behind(const Arguments& arguments, size_t count) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(),
                        rest.positional.begin() + static_cast<ptrdiff_t>(count));
  return rest;
}

// Empty, which names none, when it is no text.
std::string name_in(const Arguments& arguments, size_t index) {
  const TracedText* name = arguments.positional[index].as_text();
  return name == nullptr ? "" : name->bytes();
}

// What map, select and their kin go over: nothing where the input counts as false, None too.
std::vector<Value> items_to_choose_from(const Value& input, Budget& budget) {
  return is_true(input) ? items_of(input, budget) : std::vector<Value>();
}

// What map(attribute=..., default=...) makes of one item.
Value mapped_path(Interpreter& interpreter, const Value& item, const Arguments& arguments) {
  const Value* path = nullptr;
  const Value* fallback = nullptr;
  for (const auto& [name, value] : arguments.named) {
    if (name == "attribute") {
      path = &value;
    } else if (name == "default") {
      fallback = &value;
    } else {
      return interpreter.budget().fail_to_render("map() takes no argument " + in_quotes(name));
    }
  }
  if (path == nullptr) return interpreter.budget().fail_to_render("map requires a filter argument");
  const Value result = path_of(interpreter, item, *path);
  return result.is_undefined() && fallback != nullptr && !fallback->is_none() ? *fallback : result;
}

Value map(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  std::vector<Value> results;
  const bool has_filter = !arguments.positional.empty();
  const Arguments rest = has_filter ? behind(arguments, 1) : Arguments();
  for (const Value& item : items_to_choose_from(input, interpreter.budget())) {
    if (!interpreter.budget().take_items(1)) return {};
    results.push_back(has_filter ? apply_filter(interpreter, name_in(arguments, 0), item, rest)
                                 : mapped_path(interpreter, item, arguments));
  }
  return make_list(ListKind::kGenerator, std::move(results), interpreter.budget());
}

template <bool has_attribute, bool wants>
Value choose(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const size_t test_at = has_attribute ? 1 : 0;
  if (arguments.positional.size() < test_at)
    return interpreter.budget().fail_to_render("the name of an attribute is missing");
  const bool has_test = arguments.positional.size() > test_at;
  const Arguments rest = has_test ? behind(arguments, test_at + 1) : Arguments();
  std::vector<Value> chosen;
  for (Value& item : items_to_choose_from(input, interpreter.budget())) {
    const Value value = has_attribute ? path_of(interpreter, item, arguments.positional[0]) : item;
    const bool holds = has_test ? apply_test(interpreter, name_in(arguments, test_at), value, rest)
                                : is_true(value);
    if (holds == wants) chosen.push_back(std::move(item));
  }
  return make_list(ListKind::kGenerator, std::move(chosen), interpreter.budget());
}

Value batch(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "batch", arguments, {"linecount", "fill_with"},
                              1);
  const int64_t line_count = parameters.integer(0, 0);
  if (line_count < 1) return interpreter.budget().fail_to_render("batch() needs a positive number");
  const auto size = static_cast<size_t>(line_count);
  Budget& budget = interpreter.budget();
  std::vector<Value> lines;
  std::vector<Value> line;
  for (Value& item : items_of(input, budget)) {
    line.push_back(std::move(item));
    if (line.size() < size) continue;
    lines.push_back(make_list(ListKind::kList, std::exchange(line, {}), budget));
  }
  if (!line.empty()) {
    while (parameters.find_some(1) != nullptr && line.size() < size) {
      if (!budget.take_items(1)) return {};
      line.push_back(*parameters.find(1));
    }
    lines.push_back(make_list(ListKind::kList, std::move(line), budget));
  }
  return make_list(ListKind::kGenerator, std::move(lines), budget);
}

constexpr FilterEntry kFilters[] = {
    {"attr", attr},
    {"batch", batch},
    {"count", length},
    {"d", default_value},
    {"default", default_value},
    {"first", first},
    {"items", items},
    {"last", last},
    {"length", length},
    {"list", list},
    {"map", map},
    {"reject", choose<false, false>},
    {"rejectattr", choose<true, false>},
    {"reverse", reverse},
    {"select", choose<false, true>},
    {"selectattr", choose<true, true>},
};

}  // namespace

std::span<const FilterEntry> list_filters() { return kFilters; }

}  // namespace kvasir::text::jinja
