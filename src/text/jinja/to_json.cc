#include "text/jinja/to_json.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "text/jinja/printing.h"

namespace kvasir::text::jinja {
namespace {

void append_unit(uint32_t unit, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[unit >> shift & 0xF];
}

void append_units(uint32_t code_point, std::string& out) {
  if (code_point < 0x10000) return append_unit(code_point, out);
  append_unit(0xD800 + ((code_point - 0x10000) >> 10), out);
  append_unit(0xDC00 + ((code_point - 0x10000) & 0x3FF), out);
}

// The letter after the backslash, or 0.
char short_escape(uint32_t code_point) {
  switch (code_point) {
    case '"':
    case '\\':
      return static_cast<char>(code_point);
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    case '\f':
      return 'f';
    case '\b':
      return 'b';
    default:
      return 0;
  }
}

void append_json_escaped(std::string_view bytes, bool is_ascii, std::string& out) {
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Character character = read_character(bytes, at);
    if (const char letter = short_escape(character.code_point)) {
      out += '\\';
      out += letter;
    } else if (character.code_point < 0x20 || (is_ascii && character.code_point > 0x7E)) {
      append_units(character.code_point, out);
    } else {
      out += bytes.substr(at, character.size_bytes);
    }
    at += character.size_bytes;
  }
}

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, Budget& budget) : style_(style), budget_(budget) {}

  void add(const Value& value) {
    const Budget::Deeper deeper(budget_);
    if (budget_.failed()) return;
    if (const TracedText* text = value.as_text()) {
      add_string(*text);
    } else if (const List* list = value.as_list()) {
      add_list(value, *list);
    } else if (const Dict* dict = value.as_dict()) {
      add_dict(*dict);
    } else {
      write(scalar(value));
    }
  }

  TracedText finish() && {
    budget_.take_text(out_.size_bytes());
    return std::move(out_);
  }

 private:
  void write(std::string_view bytes) { out_.append(bytes, Origin::kVariable); }

  void add_string(const TracedText& text) {
    if (!budget_.take_text(text.size_bytes())) return;
    write("\"");
    out_.append(text.changed([this](std::string_view run, std::string& changed) {
      append_json_escaped(run, style_.is_ascii, changed);
    }));
    write("\"");
  }

  std::string scalar(const Value& value) {
    if (value.is_none()) return "null";
    if (const bool* boolean = value.as_bool()) return *boolean ? "true" : "false";
    if (const int64_t* integer = value.as_integer()) return std::to_string(*integer);
    if (const double* real = value.as_double()) {
      if (std::isnan(*real)) return "NaN";
      if (std::isinf(*real)) return *real < 0 ? "-Infinity" : "Infinity";
      return real_text(*real);
    }
    return budget_.fail_to_render("Object of type " + std::string(value.type_name()) +
                                  " is not JSON serializable");
  }

  // Lists and dicts: `add_one(i)` writes item i.
  template <class AddOne>
  void add_items(std::string_view open, std::string_view close, size_t count,
                 const AddOne& add_one) {
    write(open);
    if (count > 0) {
      ++level_;
      for (size_t i = 0; i < count; ++i) {
        if (i > 0) write(style_.item_separator.value_or(style_.indent ? "," : ", "));
        add_line();
        add_one(i);
      }
      --level_;
      add_line();
    }
    write(close);
  }
  void add_line() {
    if (!style_.indent) return;
    write("\n");
    const size_t bytes = static_cast<size_t>(level_) * style_.indent->size();
    if (!budget_.take_text(bytes) || !budget_.check_text(out_.size_bytes() + bytes)) return;
    for (int i = 0; i < level_; ++i) write(*style_.indent);
  }

  void add_list(const Value& value, const List& list) {
    if (list.kind != ListKind::kList && list.kind != ListKind::kTuple) return write(scalar(value));
    add_items("[", "]", list.items.size(), [&](size_t i) { add(list.items[i]); });
  }

  void add_dict(const Dict& dict) {
    std::vector<const Dict::Member*> members;
    for (const Dict::Member& member : dict.members) members.push_back(&member);
    if (style_.sorts_keys) sort_by_key(members);
    if (budget_.failed()) return;
    add_items("{", "}", members.size(), [&](size_t i) {
      add_key(members[i]->first);
      write(style_.key_separator);
      add(members[i]->second);
    });
  }
  void sort_by_key(std::vector<const Dict::Member*>& members) {
    for (const Dict::Member* member : members) {
      if (member->first.as_text() == nullptr) {
        budget_.fail_unsupported("sorting keys that are no strings");
        return;
      }
    }
    std::ranges::stable_sort(members, {}, [](const Dict::Member* member) {
      return std::string_view(member->first.as_text()->bytes());
    });
  }
  void add_key(const Value& key) {
    if (const TracedText* name = key.as_text()) return add_string(*name);
    if (key.as_list() != nullptr)
      budget_.fail_to_render("keys must be str, int, float, bool or None");
    write("\"" + scalar(key) + "\"");
  }

  const JsonStyle& style_;
  Budget& budget_;
  TracedText out_;
  int level_ = 0;
};

}  // namespace

TracedText to_json(const Value& value, const JsonStyle& style, Budget& budget) {
  JsonWriter writer(style, budget);
  writer.add(value);
  return std::move(writer).finish();
}

}  // namespace kvasir::text::jinja
