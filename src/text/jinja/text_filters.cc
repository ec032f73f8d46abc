#include <algorithm>
#include <string>

#include "base/utf8.h"
#include "text/jinja/access.h"
#include "text/jinja/characters.h"
#include "text/jinja/filter_tables.h"
#include "text/jinja/format_text.h"
#include "text/jinja/operators.h"
#include "text/jinja/parameters.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_functions.h"
#include "text/jinja/to_json.h"
#include "text/unicode_category.h"

namespace kvasir::text::jinja {
namespace {

template <TracedText (*change)(const TracedText&, Budget&)>
Value changed(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "filter", arguments, {});
  return change(to_text(input, interpreter.budget()), interpreter.budget());
}

Value trim(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "trim", arguments, {"chars"});
  return stripped(to_text(input, interpreter.budget()), parameters.bytes(0), Side::kBoth,
                  interpreter.budget());
}

Value replace(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "replace", arguments, {"old", "new", "count"},
                              2);
  Budget& budget = interpreter.budget();
  return replaced(to_text(input, budget), to_text(*parameters.find(0), budget),
                  to_text(*parameters.find(1), budget), parameters.integer(2, -1), budget);
}

Value join(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "join", arguments, {"d", "attribute"});
  Budget& budget = interpreter.budget();
  std::vector<TracedText> parts;
  for (const Value& item : items_of(input, budget)) {
    const Value* path = parameters.find_some(1);
    parts.push_back(to_text(path == nullptr ? item : path_of(interpreter, item, *path), budget));
  }
  const TracedText separator =
      parameters.find(0) == nullptr ? TracedText() : to_text(*parameters.find(0), budget);
  return joined_with(separator, parts, budget);
}

Value string(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "string", arguments, {});
  return to_text(input, interpreter.budget());
}

// The text of `width` blanks, or the text itself.
TracedText indention_of(const Value* width, Budget& budget) {
  if (width == nullptr) return {"    ", Origin::kVariable};
  if (const TracedText* text = width->as_text()) return *text;
  const auto count = integer_of(*width);
  if (!count) return budget.fail_to_render("indent() needs an integer or a string");
  return padded({}, *count, " ", Side::kLeft, budget);
}

Value indent(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "indent", arguments,
                              {"width", "first", "blank"});
  Budget& budget = interpreter.budget();
  if (input.is_undefined()) return interpreter.budget().fail_to_render(input.undefined_reason());
  if (input.as_text() == nullptr)
    return interpreter.budget().fail_to_render("indent() needs a string");
  const TracedText indention = indention_of(parameters.find(0), budget);
  TracedText text = *input.as_text();
  text.append("\n", Origin::kVariable);
  std::vector<TracedText> lines = split_lines(text, false, budget);
  for (size_t i = 0; i < lines.size(); ++i) {
    const bool is_wanted =
        i == 0 ? parameters.truth(1, false) : parameters.truth(2, false) || !lines[i].empty();
    if (!is_wanted) continue;
    if (!budget.take_text(indention.size_bytes() + lines[i].size_bytes())) return {};
    TracedText line = indention;
    line.append(lines[i]);
    lines[i] = std::move(line);
  }
  return joined_with(TracedText("\n", Origin::kVariable), lines, budget);
}

// Words begin after these; all else is lower case.
Value title(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "title", arguments, {});
  const TracedText text = to_text(input, interpreter.budget());
  if (!interpreter.budget().take_text(text.size_bytes())) return {};
  bool begins_word = true;
  return text.changed([&begins_word](std::string_view run, std::string& out) {
    for (size_t at = 0; at < run.size();) {
      const Utf8Character character = read_character(run, at);
      append_in_case(run.substr(at, character.size_bytes),
                     begins_word ? Case::kUpper : Case::kLower, out);
      const bool is_separator = is_python_space(character.code_point) ||
                                (character.code_point < 0x80 &&
                                 std::string_view("-({[<").find(run[at]) != std::string_view::npos);
      begins_word = is_separator;
      at += character.size_bytes;
    }
  });
}

Value center(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "center", arguments, {"width"});
  return padded(to_text(input, interpreter.budget()), parameters.integer(0, 80), " ", Side::kBoth,
                interpreter.budget());
}

Value format(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    return interpreter.budget().fail_to_render(
        "format() takes positional or named arguments, not both");
  }
  Budget& budget = interpreter.budget();
  const TracedText text = to_text(input, budget);
  if (arguments.named.empty()) {
    return format_percent(text, Value::tuple(arguments.positional), budget);
  }
  DictBuilder named(budget);
  for (const auto& [name, value] : arguments.named) named.set(Value::text(name), value);
  return format_percent(text, std::move(named).finish(), budget);
}

Value escape(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "escape", arguments, {});
  return html_escaped(to_text(input, interpreter.budget()), interpreter.budget());
}

Value safe(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "safe", arguments, {});
  TracedText text = to_text(input, interpreter.budget());
  text.set_html(true);
  return text;
}

Value wordcount(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "wordcount", arguments, {});
  const TracedText text = to_text(input, interpreter.budget());
  int64_t count = 0;
  bool is_inside = false;
  for (size_t at = 0; at < text.size_bytes();) {
    const Utf8Character character = read_character(text.bytes(), at);
    const Category category = category_of(character.code_point);
    const bool is_word = category == Category::kLetter || category == Category::kNumber ||
                         character.code_point == '_';
    count += is_word && !is_inside ? 1 : 0;
    is_inside = is_word;
    at += character.size_bytes;
  }
  return count;
}

std::string separator_in(const Value& separators, size_t index, Budget& budget) {
  const List* list = separators.as_list();
  if (list == nullptr || list->items.size() != 2 || list->items[index].as_text() == nullptr) {
    return budget.fail_to_render("tojson(): the separators are no pair of strings");
  }
  return list->items[index].as_text()->bytes();
}

Value tojson(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "tojson", arguments,
                              {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.is_ascii = parameters.truth(0, false);
  style.sorts_keys = parameters.truth(3, false);
  if (const Value* indent = parameters.find_some(1)) {
    style.indent = indention_of(indent, interpreter.budget()).bytes();
  }
  if (const Value* separators = parameters.find_some(2)) {
    style.item_separator = separator_in(*separators, 0, interpreter.budget());
    style.key_separator = separator_in(*separators, 1, interpreter.budget());
  }
  return to_json(input, style, interpreter.budget());
}

constexpr FilterEntry kFilters[] = {
    {"capitalize", changed<capitalized>},
    {"center", center},
    {"e", escape},
    {"escape", escape},
    {"format", format},
    {"indent", indent},
    {"join", join},
    {"lower", changed<lower>},
    {"replace", replace},
    {"safe", safe},
    {"string", string},
    {"title", title},
    {"tojson", tojson},
    {"trim", trim},
    {"upper", changed<upper>},
    {"wordcount", wordcount},
};

}  // namespace

std::span<const FilterEntry> text_filters() { return kFilters; }

}  // namespace kvasir::text::jinja
