#include "text/jinja/text_methods.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/format_text.h"
#include "text/jinja/operators.h"
#include "text/jinja/parameters.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_functions.h"
#include "text/unicode_category.h"

namespace kvasir::text::jinja {
namespace {

template <Side side>
Value strip(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "strip", arguments, {"chars"});
  return stripped(text, parameters.bytes(0), side, interpreter.budget());
}

template <bool is_from_right>
Value split_method(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "split", arguments, {"sep", "maxsplit"});
  return make_list(ListKind::kList,
                   split(text, parameters.bytes(0), parameters.integer(1, -1), is_from_right,
                         interpreter.budget()),
                   interpreter.budget());
}

Value splitlines(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "splitlines", arguments, {"keepends"});
  std::vector<Value> lines;
  for (TracedText& line : split_lines(text, parameters.truth(0, false), interpreter.budget())) {
    lines.emplace_back(std::move(line));
  }
  return make_list(ListKind::kList, std::move(lines), interpreter.budget());
}

template <bool is_from_right>
Value partition(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "partition", arguments, {"sep"}, 1);
  const TracedText& separator = parameters.required_text(0);
  if (separator.empty()) return interpreter.budget().fail_to_render("empty separator");
  if (!interpreter.budget().take_text(text.size_bytes())) return {};
  const size_t at =
      is_from_right ? text.bytes().rfind(separator.bytes()) : text.bytes().find(separator.bytes());
  if (at == std::string::npos) {
    const Value none = TracedText();
    return is_from_right ? Value::tuple({none, none, text}) : Value::tuple({text, none, none});
  }
  return Value::tuple(
      {text.part(0, at), separator, text.part(at + separator.size_bytes(), text.size_bytes())});
}

Value replace(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "replace", arguments, {"old", "new", "count"},
                              2);
  return replaced(text, parameters.required_text(0), parameters.required_text(1),
                  parameters.integer(2, -1), interpreter.budget());
}

Value join(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "join", arguments, {"iterable"}, 1);
  std::vector<TracedText> parts;
  for (const Value& item : items_of(*parameters.find(0), interpreter.budget())) {
    if (item.as_text() == nullptr)
      return interpreter.budget().fail_to_render("join() needs strings");
    parts.push_back(*item.as_text());
  }
  return joined_with(text, parts, interpreter.budget());
}

template <TracedText (*change)(const TracedText&, Budget&)>
Value changed(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "str method", arguments, {});
  return change(text, interpreter.budget());
}

// The bytes between the optional bounds, which are character indexes as in slices.
struct Window {
  size_t begin;
  size_t end;
  bool is_valid;  // whether it begins inside the text, and before its end
};

Window window_of(const TracedText& text, std::optional<int64_t> start, std::optional<int64_t> end) {
  const auto length = static_cast<int64_t>(count_characters(text.bytes()));
  const auto placed = [length](int64_t bound) {
    return std::max<int64_t>(bound < 0 ? bound + length : bound, 0);
  };
  const int64_t from = placed(start.value_or(0));
  const int64_t to = std::min(placed(end.value_or(length)), length);
  const bool is_valid = from <= to && from <= length;
  return {offset_of_character(text.bytes(), static_cast<size_t>(from)),
          offset_of_character(text.bytes(), static_cast<size_t>(to)), is_valid};
}

template <bool is_at_end>
bool matches(std::string_view part, const Value& affix, Budget& budget) {
  if (affix.is_undefined()) return budget.fail_to_render(affix.undefined_reason());
  if (const TracedText* text = affix.as_text()) {
    return is_at_end ? part.ends_with(text->bytes()) : part.starts_with(text->bytes());
  }
  const List* list = affix.as_list();
  if (list == nullptr || list->kind != ListKind::kTuple) {
    return budget.fail_to_render(
        "startswith() and endswith() need a string or a tuple of strings, not '" +
        std::string(affix.type_name()) + "'");
  }
  return std::ranges::any_of(list->items, [&](const Value& one) {
    const bool is_text = one.as_text() != nullptr;
    if (!is_text) budget.fail_to_render("a tuple of affixes has strings only");
    return is_text && matches<is_at_end>(part, one, budget);
  });
}

template <bool is_at_end>
Value has_affix(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), is_at_end ? "endswith" : "startswith",
                              arguments, {"affix", "start", "end"}, 1);
  interpreter.budget().take_look(text.size_bytes());
  const Window window = window_of(text, parameters.integer(1), parameters.integer(2));
  const std::string_view bytes = text.bytes();
  const std::string_view part =
      window.is_valid ? bytes.substr(window.begin, window.end - window.begin) : "";
  return matches<is_at_end>(part, *parameters.find(0), interpreter.budget()) && window.is_valid;
}

template <bool is_suffix>
Value without_affix(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "removeprefix", arguments, {"affix"}, 1);
  const std::string& affix = parameters.required_text(0).bytes();
  if (!interpreter.budget().take_text(text.size_bytes())) return {};
  const size_t size = text.size_bytes();
  if (is_suffix) {
    return text.bytes().ends_with(affix) ? text.part(0, size - affix.size()) : text;
  }
  return text.bytes().starts_with(affix) ? text.part(affix.size(), size) : text;
}

std::optional<int64_t> position_of(Interpreter& interpreter, const TracedText& text,
                                   const Arguments& arguments, bool is_from_right) {
  const Parameters parameters(interpreter.budget(), "find", arguments, {"sub", "start", "end"}, 1);
  interpreter.budget().take_look(text.size_bytes());
  const Window window = window_of(text, parameters.integer(1), parameters.integer(2));
  if (!window.is_valid) return std::nullopt;
  const std::string_view bytes = text.bytes();
  const std::string_view part = bytes.substr(window.begin, window.end - window.begin);
  const std::string& wanted = parameters.required_text(0).bytes();
  const size_t at = is_from_right ? part.rfind(wanted) : part.find(wanted);
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<int64_t>(count_characters(bytes.substr(0, window.begin + at)));
}

template <bool is_from_right>
Value find(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  return position_of(interpreter, text, arguments, is_from_right).value_or(-1);
}

template <bool is_from_right>
Value index(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const auto position = position_of(interpreter, text, arguments, is_from_right);
  if (!position) return interpreter.budget().fail_to_render("substring not found");
  return *position;
}

Value count(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "count", arguments, {"sub", "start", "end"}, 1);
  interpreter.budget().take_look(text.size_bytes());
  const Window window = window_of(text, parameters.integer(1), parameters.integer(2));
  if (!window.is_valid) return int64_t{0};
  const std::string_view bytes = text.bytes();
  const std::string_view part = bytes.substr(window.begin, window.end - window.begin);
  const std::string& wanted = parameters.required_text(0).bytes();
  if (wanted.empty()) return static_cast<int64_t>(count_characters(part)) + 1;
  int64_t found = 0;
  for (size_t at = part.find(wanted); at != std::string_view::npos;
       at = part.find(wanted, at + wanted.size())) {
    ++found;
  }
  return found;
}

template <Side text_side>
Value pad(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "just", arguments, {"width", "fillchar"}, 1);
  const std::string fill = parameters.bytes(1).value_or(" ");
  if (count_characters(fill) != 1)
    return interpreter.budget().fail_to_render("the fill is no single character");
  return padded(text, parameters.integer(0, 0), fill, text_side, interpreter.budget());
}

Value zfill(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "zfill", arguments, {"width"}, 1);
  const std::string& bytes = text.bytes();
  const bool has_sign = bytes.starts_with('-') || bytes.starts_with('+');
  TracedText result = text.part(0, has_sign ? 1 : 0);
  result.append(padded(text.part(has_sign ? 1 : 0, bytes.size()),
                       parameters.integer(0, 0) - (has_sign ? 1 : 0), "0", Side::kRight,
                       interpreter.budget()));
  return result;
}

Value format(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  return format_braces(text, arguments, interpreter);
}

// Whether all characters are of that kind, and there is one.
template <bool (*is_kind)(uint32_t, Budget&)>
Value all_are(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "str method", arguments, {});
  interpreter.budget().take_look(text.size_bytes());
  for (size_t at = 0; at < text.size_bytes();) {
    const Utf8Character character = read_character(text.bytes(), at);
    if (!is_kind(character.code_point, interpreter.budget())) return false;
    at += character.size_bytes;
  }
  return !text.empty();
}

bool is_letter(uint32_t code_point, Budget&) {
  return category_of(code_point) == Category::kLetter;
}
bool is_space(uint32_t code_point, Budget&) { return is_python_space(code_point); }
bool is_ascii_digit(uint32_t code_point) { return code_point >= '0' && code_point <= '9'; }
// Numbers outside of ASCII are digits to some of Python's questions and not to others.
bool is_digit(uint32_t code_point, Budget& budget) {
  if (code_point > 0x7F && category_of(code_point) == Category::kNumber) {
    return budget.fail_unsupported("unsupported: isdigit() of a number outside of ASCII");
  }
  return is_ascii_digit(code_point);
}
bool is_letter_or_digit(uint32_t code_point, Budget& budget) {
  return is_letter(code_point, budget) || category_of(code_point) == Category::kNumber;
}

template <bool (*has_case)(const TracedText&)>
Value case_test(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "str method", arguments, {});
  interpreter.budget().take_look(text.size_bytes());
  return has_case(text);
}

// These escape what they fill into HTML.
template <TextMethod method>
Value plain_only(Interpreter& interpreter, const TracedText& text, const Arguments& arguments) {
  if (!text.is_html()) return method(interpreter, text, arguments);
  return interpreter.budget().fail_unsupported("unsupported: a method of HTML");
}

struct Entry {
  std::string_view name;
  TextMethod method;
};
constexpr Entry kMethods[] = {
    {"capitalize", changed<capitalized>},
    {"center", pad<Side::kBoth>},
    {"count", count},
    {"endswith", has_affix<true>},
    {"find", find<false>},
    {"format", plain_only<format>},
    {"index", index<false>},
    {"isalnum", all_are<is_letter_or_digit>},
    {"isalpha", all_are<is_letter>},
    {"isdecimal", all_are<is_digit>},
    {"isdigit", all_are<is_digit>},
    {"islower", case_test<is_lower>},
    {"isnumeric", all_are<is_digit>},
    {"isspace", all_are<is_space>},
    {"isupper", case_test<is_upper>},
    {"join", plain_only<join>},
    {"ljust", pad<Side::kLeft>},
    {"lower", changed<lower>},
    {"lstrip", strip<Side::kLeft>},
    {"partition", partition<false>},
    {"removeprefix", without_affix<false>},
    {"removesuffix", without_affix<true>},
    {"replace", plain_only<replace>},
    {"rfind", find<true>},
    {"rindex", index<true>},
    {"rjust", pad<Side::kRight>},
    {"rpartition", partition<true>},
    {"rsplit", split_method<true>},
    {"rstrip", strip<Side::kRight>},
    {"split", split_method<false>},
    {"splitlines", splitlines},
    {"startswith", has_affix<false>},
    {"strip", strip<Side::kBoth>},
    {"title", changed<titled>},
    {"upper", changed<upper>},
    {"zfill", zfill},
};
constexpr std::string_view kMethodsElsewhere[] = {
    "casefold",    "encode",  "expandtabs", "format_map", "isascii",  "isidentifier",
    "isprintable", "istitle", "maketrans",  "swapcase",   "translate"};

// How many characters change when their case does, either way.
struct CaseCounts {
  size_t lower = 0;
  size_t upper = 0;
};

CaseCounts count_cases(const TracedText& text) {
  CaseCounts counts;
  for (size_t at = 0; at < text.size_bytes();) {
    const size_t size = character_size_bytes(text.bytes(), at);
    const std::string_view character = std::string_view(text.bytes()).substr(at, size);
    std::string as_lower;
    std::string as_upper;
    append_in_case(character, Case::kLower, as_lower);
    append_in_case(character, Case::kUpper, as_upper);
    counts.lower += as_upper != character ? 1 : 0;
    counts.upper += as_lower != character ? 1 : 0;
    at += size;
  }
  return counts;
}

}  // namespace

TextMethod text_method(std::string_view name) {
  const auto* found = std::ranges::find(kMethods, name, &Entry::name);
  return found == std::end(kMethods) ? nullptr : found->method;
}

bool is_python_text_method(std::string_view name) {
  return text_method(name) != nullptr ||
         std::ranges::find(kMethodsElsewhere, name) != std::end(kMethodsElsewhere);
}

bool is_lower(const TracedText& text) {
  const CaseCounts counts = count_cases(text);
  return counts.lower > 0 && counts.upper == 0;
}

bool is_upper(const TracedText& text) {
  const CaseCounts counts = count_cases(text);
  return counts.upper > 0 && counts.lower == 0;
}

}  // namespace kvasir::text::jinja
