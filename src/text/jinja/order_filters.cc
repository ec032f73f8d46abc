#include <algorithm>
#include <string>

#include "text/jinja/access.h"
#include "text/jinja/filter_tables.h"
#include "text/jinja/operators.h"
#include "text/jinja/parameters.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_functions.h"

namespace kvasir::text::jinja {
namespace {

// What things are ordered by: strings regardless of case, unless told otherwise.
Value key_of(const Value& value, bool is_case_sensitive, Budget& budget) {
  if (is_case_sensitive || value.as_text() == nullptr) return value;
  return lower(*value.as_text(), budget);
}

struct Keyed {
  Value key;
  Value item;
};

std::vector<Value> sorted(std::vector<Keyed> keyed, bool is_reversed, Budget& budget) {
  const auto is_before = [&](const Keyed& left, const Keyed& right) {
    return is_reversed ? compare(Comparison::kLess, right.key, left.key, budget)
                       : compare(Comparison::kLess, left.key, right.key, budget);
  };
  std::ranges::stable_sort(keyed, is_before);
  std::vector<Value> items;
  items.reserve(keyed.size());
  for (Keyed& one : keyed) items.push_back(std::move(one.item));
  return items;
}

// The values of "a.b,c" as a list, as one key.
Value sort_key(Interpreter& interpreter, const Value& item, const Value* paths,
               bool is_case_sensitive) {
  Budget& budget = interpreter.budget();
  std::vector<Value> keys;
  const TracedText* text = paths == nullptr ? nullptr : paths->as_text();
  if (text == nullptr) {
    const Value value = paths == nullptr ? item : path_of(interpreter, item, *paths);
    keys.push_back(key_of(value, is_case_sensitive, budget));
  } else {
    for (const Value& path : split(*text, ",", -1, false, budget)) {
      keys.push_back(key_of(path_of(interpreter, item, path), is_case_sensitive, budget));
    }
  }
  return make_list(ListKind::kList, std::move(keys), budget);
}

Value sort(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "sort", arguments,
                              {"reverse", "case_sensitive", "attribute"});
  std::vector<Keyed> keyed;
  for (Value& item : items_of(input, interpreter.budget())) {
    Value key = sort_key(interpreter, item, parameters.find_some(2), parameters.truth(1, false));
    keyed.push_back({std::move(key), std::move(item)});
  }
  return make_list(ListKind::kList,
                   sorted(std::move(keyed), parameters.truth(0, false), interpreter.budget()),
                   interpreter.budget());
}

Value dictsort(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "dictsort", arguments,
                              {"case_sensitive", "by", "reverse"});
  const std::string by = parameters.bytes(1).value_or("key");
  if (by != "key" && by != "value")
    return interpreter.budget().fail_to_render("dictsort() goes by 'key' or by 'value'");
  if (input.is_undefined()) return interpreter.budget().fail_to_render(input.undefined_reason());
  if (input.as_dict() == nullptr)
    return interpreter.budget().fail_to_render("dictsort() needs a dict");
  Budget& budget = interpreter.budget();
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : input.as_dict()->members) {
    if (!budget.take_items(3)) return {};
    keyed.push_back({key_of(by == "key" ? key : value, parameters.truth(0, false), budget),
                     Value::tuple({key, value})});
  }
  return make_list(ListKind::kList, sorted(std::move(keyed), parameters.truth(2, false), budget),
                   budget);
}

Value unique(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "unique", arguments,
                              {"case_sensitive", "attribute"});
  Budget& budget = interpreter.budget();
  Dict seen;
  std::vector<Value> items;
  for (Value& item : items_of(input, budget)) {
    const Value* path = parameters.find_some(1);
    Value key = key_of(path == nullptr ? item : path_of(interpreter, item, *path),
                       parameters.truth(0, false), budget);
    if (find_key(seen, key, budget) != nullptr) continue;
    seen.add(std::move(key), Value());
    items.push_back(std::move(item));
  }
  return make_list(ListKind::kGenerator, std::move(items), budget);
}

template <Comparison wins>
Value extreme(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "min or max", arguments,
                              {"case_sensitive", "attribute"});
  Budget& budget = interpreter.budget();
  const Value* path = parameters.find_some(1);
  std::optional<Keyed> best;
  for (Value& item : items_of(input, budget)) {
    Value key = key_of(path == nullptr ? item : path_of(interpreter, item, *path),
                       parameters.truth(0, false), budget);
    if (!best || compare(wins, key, best->key, budget)) {
      best = Keyed{std::move(key), std::move(item)};
    }
  }
  return best ? best->item : Value::undefined("No aggregated item, sequence was empty.");
}

constexpr FilterEntry kFilters[] = {
    {"dictsort", dictsort},
    {"max", extreme<Comparison::kGreater>},
    {"min", extreme<Comparison::kLess>},
    {"sort", sort},
    {"unique", unique},
};

}  // namespace

std::span<const FilterEntry> order_filters() { return kFilters; }

}  // namespace kvasir::text::jinja
