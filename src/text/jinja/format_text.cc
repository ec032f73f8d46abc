#include "text/jinja/format_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "text/jinja/access.h"
#include "text/jinja/format_spec.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"

namespace kvasir::text::jinja {
namespace {

// ---- text % values ------------------------------------------------------------------------------

class PercentFormatter {
 public:
  PercentFormatter(const TracedText& text, const Value& values, Budget& budget)
      : text_(text), values_(values), budget_(budget) {}

  TracedText run() && {
    const std::string& bytes = text_.bytes();
    while (at_ < bytes.size() && !budget_.failed()) {
      const size_t begin = std::min(bytes.find('%', at_), bytes.size());
      result_.append_part(text_, at_, begin);
      at_ = begin + 1;
      if (begin < bytes.size()) fill_in(begin);
    }
    const List* tuple = tuple_of_values();
    const bool is_dict = values_.as_dict() != nullptr;
    const size_t given = tuple == nullptr ? 1 : tuple->items.size();
    if (!is_dict && used_ < given) {
      budget_.fail_to_render("not all arguments converted during string formatting");
    }
    budget_.take_text(result_.size_bytes());
    return std::move(result_);
  }

 private:
  const List* tuple_of_values() const {
    const List* list = values_.as_list();
    return list != nullptr && list->kind == ListKind::kTuple ? list : nullptr;
  }

  char take_character() {
    if (at_ < text_.size_bytes()) return text_.bytes()[at_++];
    budget_.fail_to_render("incomplete format");
    return 0;
  }

  // Stands behind the '%' at `begin`.
  void fill_in(size_t begin) {
    std::optional<Value> named;
    if (at_ < text_.size_bytes() && text_.bytes()[at_] == '(') named = take_named();
    FormatSpec spec;
    spec.align = '>';
    char letter = take_character();
    for (; std::string_view("#0- +").find(letter) != std::string_view::npos;
         letter = take_character()) {
      take_flag(letter, spec);
    }
    if (budget_.failed()) return;
    --at_;
    spec.width = take_number();
    if (text_.bytes().compare(at_, 1, ".") == 0) {
      ++at_;
      spec.precision = take_number().value_or(0);
    }
    letter = take_character();
    if (budget_.failed()) return;
    if (letter == '%') return result_.append_part(text_, begin, begin + 1);
    const Value value = named ? *named : next_value();
    result_.append(converted(value, letter, spec));
    budget_.check_text(result_.size_bytes());
  }

  static void take_flag(char flag, FormatSpec& spec) {
    if (flag == '-') {
      spec.align = '<';
      spec.fill = " ";
    } else if (flag == '0' && spec.align != '<') {
      spec.fill = "0";
      spec.align = '=';
    } else if (flag == '#') {
      spec.is_alternate = true;
    } else if (flag == '+' || spec.sign == '-') {
      spec.sign = flag == '0' ? spec.sign : flag;
    }
  }

  std::optional<int64_t> take_number() {
    const std::string& bytes = text_.bytes();
    int64_t number = 0;
    const char* begin = bytes.data() + at_;
    if (*begin == '*') budget_.fail_unsupported("unsupported: '*' in a format");
    if (*begin == '-' || budget_.failed()) return std::nullopt;
    const auto read = std::from_chars(begin, bytes.data() + bytes.size(), number);
    if (read.ec == std::errc::result_out_of_range)
      budget_.fail_to_render("a format's number is too large");
    if (read.ec != std::errc()) return std::nullopt;
    at_ += static_cast<size_t>(read.ptr - begin);
    return number;
  }

  Value take_named() {
    const std::string& bytes = text_.bytes();
    const size_t end = bytes.find(')', at_);
    if (end == std::string::npos) return budget_.fail_to_render("incomplete format key");
    const std::string name = bytes.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    if (values_.as_dict() == nullptr) return budget_.fail_to_render("format requires a mapping");
    const Value* found = values_.as_dict()->find(name);
    if (found == nullptr)
      return budget_.fail_to_render("there is no value for the format's " + in_quotes(name));
    return *found;
  }

  Value next_value() {
    const List* tuple = tuple_of_values();
    const size_t given = tuple == nullptr ? 1 : tuple->items.size();
    if (used_ >= given) return budget_.fail_to_render("not enough arguments for format string");
    return tuple == nullptr ? (++used_, values_) : tuple->items[used_++];
  }

  TracedText converted(const Value& value, char letter, FormatSpec spec) {
    if (letter == 's' || letter == 'r') {
      spec.type = 's';
      if (spec.align == '=') spec.align = '>';
      spec.fill = " ";
      return formatted(letter == 's' ? to_text(value, budget_) : to_repr(value, budget_), spec,
                       budget_);
    }
    if (letter == 'd' || letter == 'i' || letter == 'u') {
      spec.type = 'd';
      if (spec.precision) return budget_.fail_unsupported("an integer with a precision");
      return formatted(whole(value), spec, budget_);
    }
    spec.type = letter;
    const bool is_integer_type = letter == 'x' || letter == 'X' || letter == 'o';
    const bool is_real_type = std::string_view("eEfFgG").find(letter) != std::string_view::npos;
    if (!is_integer_type && !is_real_type) {
      return budget_.fail_unsupported("unsupported format character " + in_quotes({&letter, 1}));
    }
    return formatted(value, spec, budget_);
  }

  Value whole(const Value& value) {
    const double* real = value.as_double();
    if (real == nullptr) return value;
    if (!(std::abs(*real) < 9e18)) {
      return budget_.fail_unsupported("an integer has more than 64 bits");
    }
    return static_cast<int64_t>(*real);
  }

  const TracedText& text_;
  const Value& values_;
  Budget& budget_;
  TracedText result_;
  size_t at_ = 0;
  size_t used_ = 0;
};

// ---- text.format(...) ---------------------------------------------------------------------------

class BraceFormatter {
 public:
  BraceFormatter(const TracedText& text, const Arguments& arguments, Interpreter& interpreter)
      : text_(text),
        arguments_(arguments),
        interpreter_(interpreter),
        budget_(interpreter.budget()) {}

  TracedText run() && {
    const std::string& bytes = text_.bytes();
    while (at_ < bytes.size() && !budget_.failed()) {
      const size_t begin = std::min(bytes.find_first_of("{}", at_), bytes.size());
      result_.append_part(text_, at_, begin);
      at_ = begin;
      if (begin == bytes.size()) break;
      if (bytes.compare(begin, 2, "{{") == 0 || bytes.compare(begin, 2, "}}") == 0) {
        result_.append_part(text_, begin, begin + 1);
        at_ += 2;
      } else {
        fill_in();
      }
      budget_.check_text(result_.size_bytes());
    }
    budget_.take_text(result_.size_bytes());
    return std::move(result_);
  }

 private:
  void fill_in() {
    const std::string& bytes = text_.bytes();
    if (bytes[at_] == '}') {
      budget_.fail_to_render("single '}' in a format");
      return;
    }
    const size_t end = bytes.find('}', at_);
    if (end == std::string::npos) {
      budget_.fail_to_render("a format has a '{' without its '}'");
      return;
    }
    std::string_view field = std::string_view(bytes).substr(at_ + 1, end - at_ - 1);
    if (field.find('{') != std::string_view::npos) {
      budget_.fail_unsupported("unsupported: a format inside a format");
      return;
    }
    at_ = end + 1;
    const size_t name_size = std::min(field.find_first_of("!:"), field.size());
    Value value = named(field.substr(0, name_size));
    field.remove_prefix(name_size);
    if (field.starts_with('!')) {
      const char conversion = field.size() > 1 ? field[1] : ' ';
      if (conversion != 's' && conversion != 'r') {
        budget_.fail_to_render("unknown conversion in a format");
        return;
      }
      value = conversion == 's' ? to_text(value, budget_) : to_repr(value, budget_);
      field.remove_prefix(2);
    }
    if (field.starts_with(':')) field.remove_prefix(1);
    const bool is_plain = value.as_text() != nullptr || number_of(value).has_value();
    if (!field.empty() && !is_plain) {
      budget_.fail_to_render("unsupported format string for '" + std::string(value.type_name()) +
                             "'");
    }
    result_.append(formatted(value, parse_format_spec(field, budget_), budget_));
  }

  // "", "0", "name", and ".attribute" and "[item]" behind it.
  Value named(std::string_view path) {
    const size_t size = std::min(path.find_first_of(".["), path.size());
    Value value = first_value(path.substr(0, size));
    path.remove_prefix(size);
    while (!path.empty() && !budget_.failed()) {
      const bool is_item = path[0] == '[';
      path.remove_prefix(1);
      const size_t end = std::min(path.find_first_of(is_item ? "]" : ".["), path.size());
      const std::string_view part = path.substr(0, end);
      value = is_item ? item_of(interpreter_, value, item_key(part))
                      : attribute_of(interpreter_, value, part);
      path.remove_prefix(std::min(end + (is_item ? 1 : 0), path.size()));
    }
    return value;
  }

  static std::optional<int64_t> number_in(std::string_view part) {
    int64_t number = 0;
    const auto read = std::from_chars(part.data(), part.data() + part.size(), number);
    if (read.ec != std::errc() || read.ptr != part.data() + part.size()) return std::nullopt;
    return number;
  }
  static Value item_key(std::string_view part) {
    const auto number = number_in(part);
    return number ? Value(*number) : Value::text(part);
  }

  Value first_value(std::string_view name) {
    const auto number = number_in(name);
    if (name.empty() || number) {
      const int64_t index = number ? *number : next_++;
      if (index < 0 || index >= static_cast<int64_t>(arguments_.positional.size())) {
        return budget_.fail_to_render("a format asks for more values than it is given");
      }
      return arguments_.positional[static_cast<size_t>(index)];
    }
    const auto found = std::ranges::find(
        arguments_.named, name, [](const auto& one) { return std::string_view(one.first); });
    if (found == arguments_.named.end()) {
      return budget_.fail_to_render("there is no value for the format's " + in_quotes(name));
    }
    return found->second;
  }

  const TracedText& text_;
  const Arguments& arguments_;
  Interpreter& interpreter_;
  Budget& budget_;
  TracedText result_;
  size_t at_ = 0;
  int64_t next_ = 0;
};

}  // namespace

TracedText format_percent(const TracedText& text, const Value& values, Budget& budget) {
  return PercentFormatter(text, values, budget).run();
}

TracedText format_braces(const TracedText& text, const Arguments& arguments,
                         Interpreter& interpreter) {
  return BraceFormatter(text, arguments, interpreter).run();
}

}  // namespace kvasir::text::jinja
