#include "text/jinja/printing.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "text/jinja/loop.h"
#include "text/unicode_category.h"

namespace kvasir::text::jinja {
namespace {

bool is_printable(uint32_t code_point) {
  const Category category = category_of(code_point);
  return code_point == ' ' || (category != Category::kOther && category != Category::kSpace);
}

void append_hex(uint32_t code_point, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const int digit_count = code_point < 0x100 ? 2 : code_point < 0x10000 ? 4 : 8;
  out += digit_count == 2 ? "\\x" : digit_count == 4 ? "\\u" : "\\U";
  for (int shift = 4 * (digit_count - 1); shift >= 0; shift -= 4) {
    out += kDigits[code_point >> shift & 0xF];
  }
}

void append_escaped(std::string_view bytes, char quote, std::string& out) {
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Character character = read_character(bytes, at);
    const uint32_t code_point = character.code_point;
    if (code_point == '\\' || code_point == static_cast<uint8_t>(quote)) {
      out += '\\';
      out += static_cast<char>(code_point);
    } else if (code_point == '\n') {
      out += "\\n";
    } else if (code_point == '\r') {
      out += "\\r";
    } else if (code_point == '\t') {
      out += "\\t";
    } else if (is_printable(code_point)) {
      out += bytes.substr(at, character.size_bytes);
    } else {
      append_hex(code_point, out);
    }
    at += character.size_bytes;
  }
}

TracedText repr_of(const TracedText& text, Budget& budget) {
  const std::string& bytes = text.bytes();
  if (!budget.take_text(bytes.size())) return {};
  const bool has_single = bytes.find('\'') != std::string::npos;
  const char quote = has_single && bytes.find('"') == std::string::npos ? '"' : '\'';
  TracedText out((text.is_html() ? "Markup(" : "") + std::string(1, quote), Origin::kVariable);
  out.append(text.changed([quote](std::string_view run, std::string& changed) {
    append_escaped(run, quote, changed);
  }));
  out.append(std::string(1, quote) + (text.is_html() ? ")" : ""), Origin::kVariable);
  return out;
}

// Writes what is nested. Namespaces may hold themselves, so depth is counted here too.
class Printer {
 public:
  explicit Printer(Budget& budget) : budget_(budget) {}

  void add(const Value& value) {
    const Budget::Deeper deeper(budget_);
    if (budget_.failed()) return;
    if (const TracedText* text = value.as_text()) {
      out_.append(repr_of(*text, budget_));
    } else if (const List* list = value.as_list()) {
      add_list(*list);
    } else if (const Dict* dict = value.as_dict()) {
      add_dict(*dict);
    } else if (const Namespace* space = value.as_namespace()) {
      add_namespace(*space);
    } else {
      write(value.is_undefined() ? "Undefined" : to_text(value, budget_).bytes());
    }
  }
  void write(std::string_view bytes) { out_.append(bytes, Origin::kVariable); }

  TracedText finish() && {
    budget_.take_text(out_.size_bytes());
    return std::move(out_);
  }

 private:
  void add_list(const List& list) {
    if (list.kind == ListKind::kRange) return add_range(list);
    if (list.kind == ListKind::kGenerator) {
      budget_.fail_unsupported("a generator cannot be printed; use the filter 'list'");
      return;
    }
    const bool is_view = list.kind != ListKind::kList && list.kind != ListKind::kTuple;
    if (is_view) write(std::string(type_name_of(list.kind)) + "(");
    write(list.kind == ListKind::kTuple ? "(" : "[");
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) write(", ");
      add(list.items[i]);
    }
    if (list.kind == ListKind::kTuple) {
      write(list.items.size() == 1 ? ",)" : ")");
    } else {
      write(is_view ? "])" : "]");
    }
  }
  void add_range(const List& range) {
    write("range(" + std::to_string(range.range_start) + ", " + std::to_string(range.range_stop));
    write(range.range_step == 1 ? ")" : ", " + std::to_string(range.range_step) + ")");
  }
  void add_dict(const Dict& dict) {
    write("{");
    for (size_t i = 0; i < dict.members.size(); ++i) {
      if (i > 0) write(", ");
      add(dict.members[i].first);
      write(": ");
      add(dict.members[i].second);
    }
    write("}");
  }
  void add_namespace(const Namespace& space) {
    write("<Namespace {");
    for (size_t i = 0; i < space.members.size(); ++i) {
      if (i > 0) write(", ");
      add(Value::text(space.members[i].first));
      write(": ");
      add(space.members[i].second);
    }
    write("}>");
  }

  Budget& budget_;
  TracedText out_;
};

// "1.25e+02" as Python places the point: digits, and the power of ten of the first.
std::string placed(const std::string& digits, int exponent) {
  if (exponent >= 16 || exponent < -4) {
    std::string text = digits.substr(0, 1);
    if (digits.size() > 1) text += "." + digits.substr(1);
    const std::string power = std::to_string(std::abs(exponent));
    return text + (exponent < 0 ? "e-" : "e+") + (power.size() < 2 ? "0" : "") + power;
  }
  if (exponent < 0) return "0." + std::string(static_cast<size_t>(-exponent) - 1, '0') + digits;
  const size_t whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) return digits + std::string(whole - digits.size(), '0') + ".0";
  return digits.substr(0, whole) + "." + digits.substr(whole);
}

}  // namespace

TracedText to_text(const Value& value, Budget& budget) {
  if (const TracedText* text = value.as_text()) return *text;
  const auto plain = [](std::string bytes) {
    return TracedText(std::move(bytes), Origin::kVariable);
  };
  if (value.is_undefined()) return {};
  if (value.is_none()) return plain("None");
  if (const bool* boolean = value.as_bool()) return plain(*boolean ? "True" : "False");
  if (const int64_t* integer = value.as_integer()) return plain(std::to_string(*integer));
  if (const double* real = value.as_double()) return plain(real_text(*real));
  if (const Callable* callable = value.as_callable()) return plain(callable->repr);
  if (Loop* loop = value.as_loop()) return plain(loop->repr());
  return to_repr(value, budget);
}

TracedText to_repr(const Value& value, Budget& budget) {
  Printer printer(budget);
  printer.add(value);
  return std::move(printer).finish();
}

std::string real_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 40> buffer{};
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::abs(value),
                                     std::chars_format::scientific);
  const std::string text(buffer.data(), written.ptr);
  const size_t mark = text.find('e');
  std::string digits = text.substr(0, mark);
  if (digits.size() > 1) digits.erase(1, 1);
  const int exponent = std::stoi(text.substr(mark + 1));
  return (std::signbit(value) ? "-" : "") + placed(digits, exponent);
}

std::string in_quotes(std::string_view bytes) {
  constexpr size_t kBytesMax = 80;
  size_t end = bytes.size();
  if (end > kBytesMax) {
    end = kBytesMax;
    while (end > 0 && (static_cast<uint8_t>(bytes[end]) & 0xC0) == 0x80) --end;
  }
  return "'" + std::string(bytes.substr(0, end)) + (end < bytes.size() ? "...'" : "'");
}

}  // namespace kvasir::text::jinja
