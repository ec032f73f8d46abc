#include "text/jinja/access.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "text/jinja/loop.h"
#include "text/jinja/methods.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"

namespace kvasir::text::jinja {
namespace {

Value missing_attribute(const Value& object, std::string_view name) {
  if (object.is_none()) return Value::undefined("None has no attribute " + in_quotes(name));
  return Value::undefined("'" + std::string(object.type_name()) + " object' has no attribute " +
                          in_quotes(name));
}

std::string text_for_message(const Value& key) {
  if (const TracedText* text = key.as_text()) return in_quotes(text->bytes());
  if (const auto integer = integer_of(key)) return std::to_string(*integer);
  return "of type '" + std::string(key.type_name()) + "'";
}

// The index from the front that a Python index means; nothing when it is outside.
std::optional<size_t> placed_index(int64_t index, size_t size) {
  const auto count = static_cast<int64_t>(size);
  if (index < -count || index >= count) return std::nullopt;
  return static_cast<size_t>(index < 0 ? index + count : index);
}

std::optional<Value> character_at(const TracedText& text, int64_t index, Budget& budget) {
  budget.take_look(text.size_bytes());
  const auto place = placed_index(index, count_characters(text.bytes()));
  if (!place) return std::nullopt;
  const size_t begin = offset_of_character(text.bytes(), *place);
  return text.part(begin, begin + character_size_bytes(text.bytes(), begin));
}

// object[key] where Python itself has such an item.
std::optional<Value> plain_item(Interpreter& interpreter, const Value& object, const Value& key) {
  if (const Dict* dict = object.as_dict()) {
    const Value* found = find_key(*dict, key, interpreter.budget());
    return found == nullptr ? std::nullopt : std::optional(*found);
  }
  const auto index = integer_of(key);
  if (!index) return std::nullopt;
  if (const TracedText* text = object.as_text()) {
    return character_at(*text, *index, interpreter.budget());
  }
  const List* list = object.as_list();
  const bool has_items =
      list != nullptr && (list->kind == ListKind::kList || list->kind == ListKind::kTuple ||
                          list->kind == ListKind::kRange);
  if (!has_items) return std::nullopt;
  const auto place = placed_index(*index, list->items.size());
  return place ? std::optional(list->items[*place]) : std::nullopt;
}

// getattr(object, name) where Python has such an attribute.
std::optional<Value> plain_attribute(Interpreter& interpreter, const Value& object,
                                     std::string_view name) {
  if (object.is_undefined()) {
    interpreter.budget().fail_to_render(object.undefined_reason());
    return Value();
  }
  if (Namespace* space = object.as_namespace()) {
    const Value* found = space->find(name);
    if (found != nullptr) return *found;
  }
  if (Loop* loop = object.as_loop()) {
    if (std::optional<Value> found = loop->attribute(name)) return found;
  }
  if (name.starts_with("__")) {
    return Value::undefined("access to attribute " + in_quotes(name) + " of '" +
                            std::string(object.type_name()) + "' object is unsafe");
  }
  return method_of(interpreter, object, name);
}

}  // namespace

Value attribute_of(Interpreter& interpreter, const Value& object, std::string_view name) {
  if (std::optional<Value> found = plain_attribute(interpreter, object, name)) return *found;
  if (const Dict* dict = object.as_dict()) {
    if (const Value* member = dict->find(name)) return *member;
  }
  return missing_attribute(object, name);
}

Value item_of(Interpreter& interpreter, const Value& object, const Value& key) {
  if (object.is_undefined()) return interpreter.budget().fail_to_render(object.undefined_reason());
  if (std::optional<Value> found = plain_item(interpreter, object, key)) return *found;
  if (const TracedText* name = key.as_text()) {
    if (std::optional<Value> found = plain_attribute(interpreter, object, name->bytes())) {
      return *found;
    }
    return missing_attribute(object, name->bytes());
  }
  return Value::undefined("'" + std::string(object.type_name()) + " object' has no item " +
                          text_for_message(key));
}

Value path_of(Interpreter& interpreter, const Value& object, const Value& path) {
  const TracedText* text = path.as_text();
  if (text == nullptr) return path.is_none() ? object : item_of(interpreter, object, path);
  Value value = object;
  std::string_view rest = text->bytes();
  while (true) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    const std::string_view part = rest.substr(0, dot);
    int64_t index = 0;
    const auto read = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index =
        read.ec == std::errc() && read.ptr == part.data() + part.size() && !part.starts_with('-');
    value = item_of(interpreter, value, is_index ? Value(index) : Value::text(part));
    if (dot == rest.size()) return value;
    rest.remove_prefix(dot + 1);
  }
}

// ---- slices -------------------------------------------------------------------------------------

namespace {

struct Picked {
  int64_t start;
  int64_t stop;
  int64_t step;

  // How many items it has.
  int64_t count() const {
    if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
    return start > stop ? (start - stop - 1) / -step + 1 : 0;
  }
};

// With a step of 0 nothing is picked.
Picked picked_by(const SliceBounds& bounds, int64_t size, Budget& budget) {
  // Longer steps reach no second item, and their negative exists.
  const int64_t step = std::clamp<int64_t>(bounds.step.value_or(1), -INT32_MAX, INT32_MAX);
  if (step == 0) {
    budget.fail_to_render("slice step cannot be zero");
    return {0, 0, 1};
  }
  const int64_t lowest = step > 0 ? 0 : -1;
  const int64_t highest = step > 0 ? size : size - 1;
  const auto placed = [&](const std::optional<int64_t>& bound, int64_t fallback) {
    if (!bound) return fallback;
    return std::clamp(*bound < 0 ? *bound + size : *bound, lowest, highest);
  };
  return {placed(bounds.start, step > 0 ? lowest : highest),
          placed(bounds.stop, step > 0 ? highest : lowest), step};
}

Value slice_of_text(const TracedText& text, const SliceBounds& bounds, Budget& budget) {
  if (!budget.take_text(text.size_bytes())) return {};
  const std::string& bytes = text.bytes();
  const Picked picked = picked_by(bounds, static_cast<int64_t>(count_characters(bytes)), budget);
  if (picked.step == 1) {
    const size_t begin = offset_of_character(bytes, static_cast<size_t>(picked.start));
    const size_t end = offset_of_character(bytes, static_cast<size_t>(picked.stop));
    return text.part(begin, std::max(begin, end));
  }
  std::vector<size_t> offsets;
  for (size_t at = 0; at < bytes.size(); at += character_size_bytes(bytes, at)) {
    offsets.push_back(at);
  }
  TracedText result;
  for (int64_t i = 0; i < picked.count(); ++i) {
    const size_t begin = offsets[static_cast<size_t>(picked.start + i * picked.step)];
    if (!budget.take_steps(1)) return {};
    result.append_part(text, begin, begin + character_size_bytes(bytes, begin));
  }
  return result;
}

}  // namespace

Value slice_of(const Value& object, const SliceBounds& bounds, Budget& budget) {
  if (object.is_undefined()) return budget.fail_to_render(object.undefined_reason());
  if (const TracedText* text = object.as_text()) return slice_of_text(*text, bounds, budget);
  const List* list = object.as_list();
  if (list == nullptr || (list->kind != ListKind::kList && list->kind != ListKind::kTuple)) {
    if (list != nullptr && list->kind == ListKind::kRange) {
      return budget.fail_unsupported("a slice of a range");
    }
    return Value::undefined("'" + std::string(object.type_name()) + " object' has no slices");
  }
  const Picked picked = picked_by(bounds, static_cast<int64_t>(list->items.size()), budget);
  std::vector<Value> items;
  for (int64_t i = 0; i < picked.count(); ++i) {
    if (!budget.take_items(1)) return {};
    items.push_back(list->items[static_cast<size_t>(picked.start + i * picked.step)]);
  }
  return make_list(list->kind, std::move(items), budget);
}

// ---- dicts and namespaces -----------------------------------------------------------------------

void set_member(Namespace& space, std::string_view name, Value value, Budget& budget) {
  if (name.starts_with('_')) {
    budget.fail_to_render("a namespace cannot have an attribute that begins with '_': " +
                          in_quotes(name));
    return;
  }
  const auto search_steps = static_cast<int64_t>(space.members.size());
  if (budget.take_items(1) && budget.take_steps(search_steps)) space.set(name, std::move(value));
}

void DictBuilder::set(Value key, Value value) {
  if (find_key(dict_, key, budget_) == nullptr) {
    dict_.add(std::move(key), std::move(value));
    return;
  }
  // Python keeps the first key and its place.
  const auto same = std::ranges::find_if(dict_.members, [&](const Dict::Member& member) {
    return are_equal(member.first, key, budget_);
  });
  if (same == dict_.members.end()) return;  // the budget ended the search
  dict_.depth = std::max(dict_.depth, 1 + value.depth());
  same->second = std::move(value);
}

}  // namespace kvasir::text::jinja
