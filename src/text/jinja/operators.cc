#include "text/jinja/operators.h"

#include <algorithm>

#include "text/jinja/printing.h"

namespace kvasir::text::jinja {
namespace {

// Left and right are lists of one kind, or of kinds that Python compares item by item.
bool are_comparable_lists(const List& left, const List& right) {
  if (left.kind == ListKind::kGenerator || right.kind == ListKind::kGenerator) return false;
  return left.kind == right.kind && left.kind != ListKind::kValues;
}

bool are_equal_lists(const List& left, const List& right, Budget& budget) {
  if (!are_comparable_lists(left, right) || left.items.size() != right.items.size()) return false;
  for (size_t i = 0; i < left.items.size(); ++i) {
    if (!are_equal(left.items[i], right.items[i], budget)) return false;
  }
  return true;
}

bool are_equal_dicts(const Dict& left, const Dict& right, Budget& budget) {
  if (left.members.size() != right.members.size()) return false;
  for (const auto& [key, value] : left.members) {
    const Value* other = find_key(right, key, budget);
    if (other == nullptr || !are_equal(value, *other, budget)) return false;
  }
  return true;
}

// -1, 0 or 1 for what Python puts in order.
int order_of(const Value& left, const Value& right, Budget& budget);

int order_of_lists(const List& left, const List& right, Budget& budget) {
  const size_t both = std::min(left.items.size(), right.items.size());
  for (size_t i = 0; i < both; ++i) {
    if (!are_equal(left.items[i], right.items[i], budget)) {
      return order_of(left.items[i], right.items[i], budget);
    }
  }
  if (left.items.size() == right.items.size()) return 0;
  return left.items.size() < right.items.size() ? -1 : 1;
}

template <class T>
int order_of_numbers(T left, T right) {
  return left < right ? -1 : left > right ? 1 : 0;
}

int order_of(const Value& left, const Value& right, Budget& budget) {
  const Budget::Deeper deeper(budget);
  if (budget.failed()) return 0;
  const TracedText* left_text = left.as_text();
  const TracedText* right_text = right.as_text();
  if (left_text != nullptr && right_text != nullptr) {
    budget.take_look(std::min(left_text->size_bytes(), right_text->size_bytes()));
    return order_of_numbers(left_text->bytes().compare(right_text->bytes()), 0);
  }
  const auto left_integer = integer_of(left);
  const auto right_integer = integer_of(right);
  if (left_integer && right_integer) return order_of_numbers(*left_integer, *right_integer);
  const auto left_number = number_of(left);
  const auto right_number = number_of(right);
  if (left_number && right_number) return order_of_numbers(*left_number, *right_number);
  const List* left_list = left.as_list();
  const List* right_list = right.as_list();
  if (left_list != nullptr && right_list != nullptr && left_list->kind == right_list->kind &&
      (left_list->kind == ListKind::kList || left_list->kind == ListKind::kTuple)) {
    return order_of_lists(*left_list, *right_list, budget);
  }
  budget.fail_to_render("'" + std::string(left.type_name()) + "' and '" +
                        std::string(right.type_name()) + "' cannot be put in order");
  return 0;
}

bool check_defined(const Value& value, Budget& budget) {
  if (value.is_undefined()) budget.fail_to_render(value.undefined_reason());
  return !value.is_undefined();
}

std::vector<Value> characters_of(const TracedText& text, Budget& budget) {
  std::vector<Value> characters;
  if (!budget.take_text(text.size_bytes())) return {};
  for (size_t at = 0; at < text.size_bytes();) {
    const size_t end = at + character_size_bytes(text.bytes(), at);
    if (!budget.take_items(1)) break;
    characters.emplace_back(text.part(at, end));
    at = end;
  }
  return characters;
}

bool is_hashable(const Value& value) {
  const List* list = value.as_list();
  if (value.as_dict() != nullptr || (list != nullptr && list->kind == ListKind::kList))
    return false;
  return list == nullptr || std::ranges::all_of(list->items, is_hashable);
}

}  // namespace

bool is_true(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (const auto number = number_of(value)) return *number != 0;
  if (const TracedText* text = value.as_text()) return !text->empty();
  if (const List* list = value.as_list()) {
    return list->kind == ListKind::kGenerator || !list->items.empty();
  }
  if (const Dict* dict = value.as_dict()) return !dict->members.empty();
  return true;
}

std::optional<int64_t> integer_of(const Value& value) {
  if (const bool* boolean = value.as_bool()) return *boolean ? 1 : 0;
  if (const int64_t* integer = value.as_integer()) return *integer;
  return std::nullopt;
}

std::optional<double> number_of(const Value& value) {
  if (const double* real = value.as_double()) return *real;
  if (const auto integer = integer_of(value)) return static_cast<double>(*integer);
  return std::nullopt;
}

bool are_equal(const Value& left, const Value& right, Budget& budget) {
  const Budget::Deeper deeper(budget);
  if (budget.failed()) return false;
  if (left.is_undefined() || right.is_undefined()) {
    return left.is_undefined() && right.is_undefined();
  }
  if (const TracedText* text = left.as_text()) {
    const TracedText* other = right.as_text();
    if (other == nullptr || other->size_bytes() != text->size_bytes()) return false;
    budget.take_look(text->size_bytes());
    return text->bytes() == other->bytes();
  }
  if (left.as_list() != nullptr && right.as_list() != nullptr &&
      left.as_list() != right.as_list()) {
    return are_equal_lists(*left.as_list(), *right.as_list(), budget);
  }
  if (left.as_dict() != nullptr && right.as_dict() != nullptr) {
    return are_equal_dicts(*left.as_dict(), *right.as_dict(), budget);
  }
  const auto left_integer = integer_of(left);
  const auto right_integer = integer_of(right);
  if (left_integer && right_integer) return *left_integer == *right_integer;
  const auto left_number = number_of(left);
  const auto right_number = number_of(right);
  if (left_number && right_number) return *left_number == *right_number;
  return left.is_same_object(right);
}

bool compare(Comparison comparison, const Value& left, const Value& right, Budget& budget) {
  if (comparison == Comparison::kEqual) return are_equal(left, right, budget);
  if (comparison == Comparison::kNotEqual) return !are_equal(left, right, budget);
  if (!check_defined(left, budget) || !check_defined(right, budget)) return false;
  const auto is_nan = [](const Value& value) {
    const double* real = value.as_double();
    return real != nullptr && *real != *real;
  };
  const int order = order_of(left, right, budget);
  if (budget.failed() || is_nan(left) || is_nan(right)) return false;
  switch (comparison) {
    case Comparison::kLess:
      return order < 0;
    case Comparison::kLessEqual:
      return order <= 0;
    case Comparison::kGreater:
      return order > 0;
    default:
      return order >= 0;
  }
}

bool contains(const Value& container, const Value& item, Budget& budget) {
  if (const TracedText* text = container.as_text()) {
    const TracedText* part = item.as_text();
    if (part == nullptr) {
      return budget.fail_to_render("'in <string>' requires string as left operand, not " +
                                   std::string(item.type_name()));
    }
    budget.take_look(text->size_bytes());
    return text->bytes().find(part->bytes()) != std::string::npos;
  }
  if (const Dict* dict = container.as_dict()) return find_key(*dict, item, budget) != nullptr;
  if (const List* list = container.as_list();
      list != nullptr && list->kind != ListKind::kGenerator) {
    return std::ranges::any_of(list->items,
                               [&](const Value& one) { return are_equal(one, item, budget); });
  }
  const std::vector<Value> items = items_of(container, budget);
  return std::ranges::any_of(items, [&](const Value& one) { return are_equal(one, item, budget); });
}

const Value* find_key(const Dict& dict, const Value& key, Budget& budget) {
  budget.take_steps(1);
  if (const TracedText* name = key.as_text()) {
    budget.take_look(name->size_bytes());
    return dict.find(name->bytes());
  }
  if (!is_hashable(key)) {
    return budget.fail_to_render("unhashable type: '" + std::string(key.type_name()) + "'");
  }
  for (const auto& [one, value] : dict.members) {
    if (are_equal(one, key, budget)) return &value;
  }
  return nullptr;
}

std::vector<Value> items_of(const Value& value, Budget& budget) {
  if (value.is_undefined()) return {};
  if (const TracedText* text = value.as_text()) return characters_of(*text, budget);
  if (const Dict* dict = value.as_dict()) {
    if (!budget.take_items(dict->members.size())) return {};
    std::vector<Value> keys;
    keys.reserve(dict->members.size());
    for (const auto& member : dict->members) keys.push_back(member.first);
    return keys;
  }
  if (const List* list = value.as_list()) {
    if (!budget.take_items(list->items.size() - list->taken)) return {};
    std::vector<Value> items(list->items.begin() + static_cast<ptrdiff_t>(list->taken),
                             list->items.end());
    if (list->kind == ListKind::kGenerator) list->taken = list->items.size();
    return items;
  }
  return budget.fail_to_render("'" + std::string(value.type_name()) + "' object is not iterable");
}

std::optional<int64_t> length_of(const Value& value) {
  if (value.is_undefined()) return 0;
  if (const TracedText* text = value.as_text()) {
    return static_cast<int64_t>(count_characters(text->bytes()));
  }
  if (const Dict* dict = value.as_dict()) return static_cast<int64_t>(dict->members.size());
  const List* list = value.as_list();
  if (list == nullptr || list->kind == ListKind::kGenerator) return std::nullopt;
  return static_cast<int64_t>(list->items.size());
}

Value make_list(ListKind kind, std::vector<Value> items, Budget& budget) {
  if (!budget.take_steps(static_cast<int64_t>(items.size()))) return {};
  auto list = std::make_shared<const List>(kind, std::move(items));
  return budget.check_value_depth(list->depth) ? Value(std::move(list)) : Value();
}

Value make_dict(Dict dict, Budget& budget) {
  if (!budget.take_items(dict.members.size()) || !budget.check_value_depth(dict.depth)) return {};
  return std::make_shared<const Dict>(std::move(dict));
}

Value repeated(const TracedText& text, int64_t count, Budget& budget) {
  if (count <= 0 || text.empty()) return TracedText();
  // A limit is far below half of size_t, so one more than it stands for all larger products.
  const auto size =
      static_cast<unsigned __int128>(text.size_bytes()) * static_cast<uint64_t>(count);
  const auto bytes = size > SIZE_MAX / 2 ? SIZE_MAX / 2 : static_cast<size_t>(size);
  if (!budget.take_text(bytes)) return {};
  TracedText result;
  for (int64_t i = 0; i < count; ++i) result.append(text);
  return result;
}

}  // namespace kvasir::text::jinja
