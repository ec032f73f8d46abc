#include "text/jinja/lexer.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/string_literal.h"
#include "text/jinja/traced_text.h"
#include "text/unicode_category.h"

namespace kvasir::text::jinja {
namespace {

// All newlines as "\n", and without one at the very end.
std::string with_plain_newlines(std::string_view source) {
  std::string text;
  for (size_t i = 0; i < source.size(); ++i) {
    const bool is_pair = source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n';
    if (is_pair) continue;
    text += source[i] == '\r' ? '\n' : source[i];
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_name_character(uint32_t code_point) {
  if (code_point < 0x80) {
    const char c = static_cast<char>(code_point);
    return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }
  const Category category = category_of(code_point);
  return category == Category::kLetter || category == Category::kMark ||
         category == Category::kNumber;
}

class Lexer {
 public:
  Lexer(std::string_view source, std::optional<Failure>& failure)
      : source_(with_plain_newlines(source)), failure_(failure) {}

  std::vector<Token> run() && {
    while (position_ < source_.size()) outside_tags();
    add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return std::string_view(source_).substr(position_); }
  bool at(std::string_view text) const { return rest().starts_with(text); }

  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }

  void move_to(size_t end) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<ptrdiff_t>(position_),
                                         source_.begin() + static_cast<ptrdiff_t>(end), '\n'));
    if (end > position_) starts_line_ = source_[end - 1] == '\n';
    position_ = end;
  }
  size_t past_spaces(size_t from) const {
    while (from < source_.size()) {
      const Utf8Character character = read_character(source_, from);
      if (!is_python_space(character.code_point)) break;
      from += character.size_bytes;
    }
    return from;
  }
  // Where `name` ends that may have white space around it; npos when it is not there.
  size_t past_name(size_t from, std::string_view name) const {
    const size_t begin = past_spaces(from);
    if (source_.compare(begin, name.size(), name) != 0) return std::string::npos;
    return past_spaces(begin + name.size());
  }
  bool is_at(size_t position, std::string_view text) const {
    return position <= source_.size() && source_.compare(position, text.size(), text) == 0;
  }

  // Where the end of a tag ends that begins at `from`; npos when there is none.
  size_t past_block_end(size_t from) const {
    if (is_at(from, "+%}")) return from + 3;
    if (is_at(from, "-%}")) return past_spaces(from + 3);
    if (!is_at(from, "%}")) return std::string::npos;
    return from + (is_at(from + 2, "\n") ? 3 : 2);
  }

  // ---- outside tags -----------------------------------------------------------------------------

  void outside_tags() {
    size_t begin = position_;
    do {
      begin = source_.find('{', begin);
      if (begin == std::string::npos || begin + 1 == source_.size()) return add_rest();
      ++begin;
    } while (source_[begin] != '{' && source_[begin] != '%' && source_[begin] != '#');
    const char type = source_[begin];
    char sign = 0;
    size_t end = begin + 1;
    if (is_at(end, "-") || is_at(end, "+")) sign = source_[end++];
    add_data(begin - 1, sign, type != '{');
    begin_tag(type, end);
  }

  void add_rest() {
    add(TokenKind::kData, std::string(rest()));
    move_to(source_.size());
  }

  // The text up to `end`, where a tag with that sign begins.
  void add_data(size_t end, char sign, bool may_strip) {
    std::string_view data = std::string_view(source_).substr(position_, end - position_);
    if (sign == '-') {
      data = data.substr(0, stripped_size(data));
    } else if (sign != '+' && may_strip) {
      const size_t line_begin = data.rfind('\n') + 1;  // 0 when there is none
      const bool is_line_begin = line_begin > 0 || starts_line_;
      if (is_line_begin && is_all_space(data.substr(line_begin))) data = data.substr(0, line_begin);
    }
    if (!data.empty()) add(TokenKind::kData, std::string(data));
    move_to(end);
  }
  static bool is_all_space(std::string_view data) { return stripped_size(data) == 0; }
  // Without white space at the end.
  static size_t stripped_size(std::string_view data) {
    size_t size = 0;
    for (size_t i = 0; i < data.size();) {
      const Utf8Character character = read_character(data, i);
      i += character.size_bytes;
      if (!is_python_space(character.code_point)) size = i;
    }
    return size;
  }

  void begin_tag(char type, size_t end) {
    if (type == '#') {
      move_to(end);
      return skip_comment();
    }
    if (type == '%') {
      const size_t raw_end = past_raw_begin(end);
      if (raw_end != std::string::npos) {
        move_to(raw_end);
        return take_raw();
      }
    }
    add(type == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin, "");
    move_to(end);
    inside_tag(type == '{');
  }

  void skip_comment() {
    size_t end = source_.find("#}", position_);
    if (end == std::string::npos) return fail_here("a comment has no end");
    const char sign = end > position_ ? source_[end - 1] : ' ';
    end += 2;
    if (sign == '-') {
      end = past_spaces(end);
    } else if (sign != '+' && is_at(end, "\n")) {
      ++end;
    }
    move_to(end);
  }

  size_t past_raw_begin(size_t from) const {
    const size_t end = past_name(from, "raw");
    if (end == std::string::npos) return end;
    if (is_at(end, "-%}")) return past_spaces(end + 3);
    return is_at(end, "%}") ? end + 2 : std::string::npos;
  }

  void take_raw() {
    for (size_t begin = source_.find("{%", position_); begin != std::string::npos;
         begin = source_.find("{%", begin + 1)) {
      size_t from = begin + 2;
      char sign = 0;
      if (is_at(from, "-") || is_at(from, "+")) sign = source_[from++];
      const size_t name_end = past_name(from, "endraw");
      const size_t end = name_end == std::string::npos ? name_end : past_block_end(name_end);
      if (end == std::string::npos) continue;
      add_data(begin, sign, true);
      return move_to(end);
    }
    fail_here("a raw block has no end");
  }

  // ---- inside tags ------------------------------------------------------------------------------

  void inside_tag(bool is_variable) {
    open_.clear();
    while (position_ < source_.size()) {
      const size_t end = open_.empty() ? past_tag_end(is_variable) : std::string::npos;
      if (end != std::string::npos) {
        add(is_variable ? TokenKind::kVariableEnd : TokenKind::kBlockEnd, "");
        return move_to(end);
      }
      const size_t spaces_end = past_spaces(position_);
      if (spaces_end > position_) {
        move_to(spaces_end);
      } else {
        take_token();
      }
    }
  }

  size_t past_tag_end(bool is_variable) const {
    if (!is_variable) return past_block_end(position_);
    if (at("-}}")) return past_spaces(position_ + 3);
    return at("}}") ? position_ + 2 : std::string::npos;
  }

  void take_token() {
    const char first = source_[position_];
    if (is_digit(first)) return take_number();
    if (first == '\'' || first == '"') return take_string();
    const size_t end = name_end();
    if (end > position_) return take(TokenKind::kName, end);
    take_operator();
  }
  void take(TokenKind kind, size_t end) {
    add(kind, source_.substr(position_, end - position_));
    move_to(end);
  }

  size_t name_end() const {
    size_t end = position_;
    while (end < source_.size()) {
      const Utf8Character character = read_character(source_, end);
      if (!is_name_character(character.code_point)) break;
      end += character.size_bytes;
    }
    return end;
  }

  // Digits that may have single "_" between them.
  size_t past_digits(size_t from, std::string_view digits = "0123456789") const {
    const auto is_one = [&](size_t at) {
      return at < source_.size() && digits.find(source_[at]) != std::string_view::npos;
    };
    if (!is_one(from)) return from;
    while (is_one(from + 1) || (is_at(from + 1, "_") && is_one(from + 2))) {
      from += is_one(from + 1) ? 1 : 2;
    }
    return from + 1;
  }

  void take_number() {
    if (at("0x") || at("0X")) return take_integer("0123456789abcdefABCDEF");
    if (at("0o") || at("0O")) return take_integer("01234567");
    if (at("0b") || at("0B")) return take_integer("01");
    const size_t whole_end = past_digits(position_);
    size_t end = whole_end;
    const bool follows_dot = position_ > 0 && source_[position_ - 1] == '.';
    if (!follows_dot) {
      if (is_at(end, ".") && past_digits(end + 1) > end + 1) end = past_digits(end + 1);
      end = past_exponent(end);
    }
    if (end > whole_end) return take(TokenKind::kReal, end);
    take(TokenKind::kInteger, source_[position_] == '0' ? past_digits(position_, "0") : whole_end);
  }
  void take_integer(std::string_view digits) {
    size_t from = position_ + 2;
    if (is_at(from, "_")) ++from;
    const size_t end = past_digits(from, digits);
    take(TokenKind::kInteger, end > from ? end : position_ + 1);
  }
  size_t past_exponent(size_t from) const {
    if (!is_at(from, "e") && !is_at(from, "E")) return from;
    const size_t digits = from + (is_at(from + 1, "+") || is_at(from + 1, "-") ? 2 : 1);
    const size_t end = past_digits(digits);
    return end > digits ? end : from;
  }

  void take_string() {
    const char quote = source_[position_];
    size_t end = position_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) return fail_here("a string has no end");
    const std::string inner = source_.substr(position_ + 1, end - position_ - 1);
    std::string text = unescaped(inner, line_, failure_);
    if (failure_) return stop();
    add(TokenKind::kString, std::move(text));
    move_to(end + 1);
  }

  void take_operator() {
    constexpr std::string_view kTwo[] = {"//", "**", "==", "!=", ">=", "<="};
    for (std::string_view two : kTwo) {
      if (at(two)) return take(TokenKind::kOperator, position_ + 2);
    }
    const char one = source_[position_];
    if (std::string_view("+-/*%~[](){}><=.:|,;").find(one) == std::string_view::npos) {
      return fail_here("a character has no meaning here: '" +
                       source_.substr(position_, character_size_bytes(source_, position_)) + "'");
    }
    if (balance(one)) take(TokenKind::kOperator, position_ + 1);
  }
  // Returns whether the bracket fits, if it is one.
  bool balance(char symbol) {
    if (symbol == '(') open_ += ')';
    if (symbol == '[') open_ += ']';
    if (symbol == '{') open_ += '}';
    if (symbol != ')' && symbol != ']' && symbol != '}') return true;
    if (open_.empty() || open_.back() != symbol) {
      fail_here(std::string("unexpected '") + symbol + "'");
      return false;
    }
    open_.pop_back();
    return true;
  }

  void fail_here(std::string what) {
    failure_ = Failure{ErrorKind::kDamaged, std::move(what), line_};
    stop();
  }
  void stop() { position_ = source_.size(); }

  const std::string source_;
  std::optional<Failure>& failure_;
  size_t position_ = 0;
  int line_ = 1;
  bool starts_line_ = true;
  std::string open_;  // what closes the brackets that are open
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokens_of(std::string_view source, std::optional<Failure>& failure) {
  return Lexer(source, failure).run();
}

}  // namespace kvasir::text::jinja
