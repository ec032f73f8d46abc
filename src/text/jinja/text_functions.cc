#include "text/jinja/text_functions.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/unicode_category.h"

namespace kvasir::text::jinja {
namespace {

bool is_letter(uint32_t code_point) { return category_of(code_point) == Category::kLetter; }

// The character that ends at `end`.
size_t previous_begin(std::string_view bytes, size_t end) {
  size_t begin = end - 1;
  while (begin > 0 && (static_cast<uint8_t>(bytes[begin]) & 0xC0) == 0x80) --begin;
  return begin;
}

class Strippable {
 public:
  Strippable(std::string_view bytes, const std::optional<std::string>& characters)
      : bytes_(bytes), characters_(characters) {}

  bool has_at(size_t offset) const {
    const size_t size = character_size_bytes(bytes_, offset);
    if (!characters_) return is_python_space(read_character(bytes_, offset).code_point);
    return characters_->find(bytes_.substr(offset, size)) != std::string::npos;
  }

 private:
  std::string_view bytes_;
  const std::optional<std::string>& characters_;
};

class Splitter {
 public:
  Splitter(const TracedText& text, Budget& budget) : text_(text), budget_(budget) {}

  std::vector<Value> at_separator(std::string_view separator, int64_t count_max) {
    if (separator.empty()) return budget_.fail_to_render("empty separator");
    const std::string& bytes = text_.bytes();
    size_t begin = 0;
    for (int64_t count = 0; count_max < 0 || count < count_max; ++count) {
      const size_t end = bytes.find(separator, begin);
      if (end == std::string::npos) break;
      add(begin, end);
      begin = end + separator.size();
    }
    add(begin, bytes.size());
    return std::move(parts_);
  }

  std::vector<Value> at_separator_from_right(std::string_view separator, int64_t count_max) {
    if (separator.empty()) return budget_.fail_to_render("empty separator");
    const std::string_view bytes = text_.bytes();
    size_t end = bytes.size();
    for (int64_t count = 0; count < count_max && end >= separator.size(); ++count) {
      const size_t at = bytes.rfind(separator, end - separator.size());
      if (at == std::string_view::npos) break;
      add(at + separator.size(), end);
      end = at;
    }
    add(0, end);
    std::ranges::reverse(parts_);
    return std::move(parts_);
  }

  std::vector<Value> at_spaces(int64_t count_max) {
    size_t begin = past_spaces(0);
    const size_t size = text_.size_bytes();
    for (int64_t count = 0; begin < size; ++count) {
      if (count_max >= 0 && count == count_max) {
        add(begin, size);
        break;
      }
      size_t end = begin;
      while (end < size && !is_space_at(end)) end += character_size_bytes(text_.bytes(), end);
      add(begin, end);
      begin = past_spaces(end);
    }
    return std::move(parts_);
  }

  std::vector<Value> at_spaces_from_right(int64_t count_max) {
    size_t end = without_spaces_at_end(text_.size_bytes());
    for (int64_t count = 0; end > 0; ++count) {
      if (count == count_max) {
        add(0, end);
        break;
      }
      size_t begin = end;
      while (begin > 0 && !is_space_at(previous_begin(text_.bytes(), begin))) {
        begin = previous_begin(text_.bytes(), begin);
      }
      add(begin, end);
      end = without_spaces_at_end(begin);
    }
    std::ranges::reverse(parts_);
    return std::move(parts_);
  }

 private:
  bool is_space_at(size_t offset) const {
    return is_python_space(read_character(text_.bytes(), offset).code_point);
  }
  size_t past_spaces(size_t offset) const {
    while (offset < text_.size_bytes() && is_space_at(offset)) {
      offset += character_size_bytes(text_.bytes(), offset);
    }
    return offset;
  }
  size_t without_spaces_at_end(size_t end) const {
    while (end > 0 && is_space_at(previous_begin(text_.bytes(), end))) {
      end = previous_begin(text_.bytes(), end);
    }
    return end;
  }
  void add(size_t begin, size_t end) {
    if (!budget_.take_items(1)) return;
    parts_.emplace_back(text_.part(begin, end));
  }

  const TracedText& text_;
  Budget& budget_;
  std::vector<Value> parts_;
};

TracedText in_case(const TracedText& text, Case letter_case, Budget& budget) {
  if (!budget.take_text(text.size_bytes())) return {};
  return text.changed([letter_case](std::string_view run, std::string& out) {
    append_in_case(run, letter_case, out);
  });
}

}  // namespace

TracedText stripped(const TracedText& text, const std::optional<std::string>& characters, Side side,
                    Budget& budget) {
  if (!budget.take_text(text.size_bytes())) return {};
  const std::string& bytes = text.bytes();
  const Strippable strippable(bytes, characters);
  size_t begin = 0;
  size_t end = bytes.size();
  while (side != Side::kRight && begin < end && strippable.has_at(begin)) {
    begin += character_size_bytes(bytes, begin);
  }
  while (side != Side::kLeft && end > begin && strippable.has_at(previous_begin(bytes, end))) {
    end = previous_begin(bytes, end);
  }
  return text.part(begin, end);
}

TracedText replaced(const TracedText& text, const TracedText& from, const TracedText& to,
                    int64_t count_max, Budget& budget) {
  const std::string& bytes = text.bytes();
  TracedText result;
  size_t done = 0;
  size_t search = 0;
  for (int64_t count = 0; count_max < 0 || count < count_max; ++count) {
    const size_t at = search > bytes.size() ? std::string::npos : bytes.find(from.bytes(), search);
    if (at == std::string::npos) break;
    if (!budget.take_text(to.size_bytes())) return {};
    if (!budget.check_text(result.size_bytes() + to.size_bytes())) return {};
    result.append_part(text, done, at);
    result.append(to);
    done = at + from.size_bytes();
    // Nothing is found before every character, and at the end.
    search = from.empty() ? at + (at < bytes.size() ? character_size_bytes(bytes, at) : 1) : done;
  }
  if (!budget.take_text(result.size_bytes() + bytes.size() - done)) return {};
  result.append_part(text, done, bytes.size());
  return result;
}

std::vector<Value> split(const TracedText& text, const std::optional<std::string>& separator,
                         int64_t count_max, bool is_from_right, Budget& budget) {
  if (!budget.take_text(text.size_bytes())) return {};
  Splitter splitter(text, budget);
  const bool from_right = is_from_right && count_max >= 0;
  if (separator) {
    return from_right ? splitter.at_separator_from_right(*separator, count_max)
                      : splitter.at_separator(*separator, count_max);
  }
  return from_right ? splitter.at_spaces_from_right(count_max) : splitter.at_spaces(count_max);
}

std::vector<TracedText> split_lines(const TracedText& text, bool keeps_ends, Budget& budget) {
  if (!budget.take_text(text.size_bytes())) return {};
  const std::string& bytes = text.bytes();
  std::vector<TracedText> lines;
  size_t begin = 0;
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Character character = read_character(bytes, at);
    size_t next = at + character.size_bytes;
    if (is_line_end(character.code_point)) {
      if (bytes[at] == '\r' && next < bytes.size() && bytes[next] == '\n') ++next;
      if (!budget.take_items(1)) return {};
      lines.push_back(text.part(begin, keeps_ends ? next : at));
      begin = next;
    }
    at = next;
  }
  if (begin < bytes.size()) lines.push_back(text.part(begin, bytes.size()));
  return lines;
}

TracedText joined_with(const TracedText& separator, const std::vector<TracedText>& parts,
                       Budget& budget) {
  TracedText result;
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t more = separator.size_bytes() + parts[i].size_bytes();
    if (!budget.take_text(more) || !budget.check_text(result.size_bytes() + more)) return {};
    if (i > 0) result.append(separator);
    result.append(parts[i]);
  }
  return result;
}

TracedText html_escaped(const TracedText& text, Budget& budget) {
  if (text.is_html() || !budget.take_text(text.size_bytes())) return text;
  TracedText result = text.changed([](std::string_view run, std::string& out) {
    for (char c : run) {
      const size_t which = std::string_view("&<>'\"").find(c);
      constexpr std::string_view kEntities[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
      if (which == std::string_view::npos) {
        out += c;
      } else {
        out += kEntities[which];
      }
    }
  });
  result.set_html(true);
  return result;
}

TracedText lower(const TracedText& text, Budget& budget) {
  return in_case(text, Case::kLower, budget);
}

TracedText upper(const TracedText& text, Budget& budget) {
  return in_case(text, Case::kUpper, budget);
}

TracedText capitalized(const TracedText& text, Budget& budget) {
  if (text.empty()) return text;
  const size_t first = character_size_bytes(text.bytes(), 0);
  TracedText result = in_case(text.part(0, first), Case::kTitle, budget);
  result.append(lower(text.part(first, text.size_bytes()), budget));
  return result;
}

TracedText titled(const TracedText& text, Budget& budget) {
  if (!budget.take_text(text.size_bytes())) return {};
  bool follows_letter = false;
  return text.changed([&follows_letter](std::string_view run, std::string& out) {
    for (size_t at = 0; at < run.size();) {
      const Utf8Character character = read_character(run, at);
      append_in_case(run.substr(at, character.size_bytes),
                     follows_letter ? Case::kLower : Case::kTitle, out);
      follows_letter = is_letter(character.code_point);
      at += character.size_bytes;
    }
  });
}

TracedText padded(const TracedText& text, int64_t width, std::string_view fill, Side text_side,
                  Budget& budget) {
  const auto length = static_cast<int64_t>(count_characters(text.bytes()));
  const int64_t missing = std::max<int64_t>(width - length, 0);
  int64_t before = text_side == Side::kRight ? missing : 0;
  if (text_side == Side::kBoth) before = missing / 2 + (missing & width & 1);
  const auto fill_size = static_cast<int64_t>(fill.size());
  const bool is_huge = missing > INT32_MAX / std::max<int64_t>(fill_size, 1);
  const size_t size =
      is_huge ? SIZE_MAX : text.size_bytes() + static_cast<size_t>(missing * fill_size);
  if (!budget.take_text(size)) return {};
  TracedText result;
  for (int64_t i = 0; i < before; ++i) result.append(fill, Origin::kVariable);
  result.append(text);
  for (int64_t i = before; i < missing; ++i) result.append(fill, Origin::kVariable);
  return result;
}

}  // namespace kvasir::text::jinja
