// A TracedText is UTF-8 text in which every byte knows where it came from: the template, or a
// variable. So a tokenizer can look for markers in what the template's author wrote, and nowhere
// else: "<|user|>" is a marker when the template says it, and nine characters when a user does.
//
// Parts, joins and copies keep the origin of each byte. A value type; as thread-safe as a string.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvasir::text::jinja {

enum class Origin : uint8_t {
  kTemplate,  // written by the template's author, or a name that the caller vouches for
  kVariable,  // derived from a variable
};

class TracedText {
 public:
  // Adjacent runs differ in their origin. A run never splits a character.
  struct Run {
    size_t end = 0;  // bytes; it begins where the one before ends
    Origin origin = Origin::kVariable;
  };

  TracedText() = default;
  TracedText(std::string bytes, Origin origin) { append(bytes, origin); }

  const std::string& bytes() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  size_t size_bytes() const { return bytes_.size(); }
  const std::vector<Run>& runs() const { return runs_; }

  // Whether it counts as HTML, as the filter `safe` says: what is added to it is escaped. Its parts
  // and changed forms count too; what it is appended to does not.
  bool is_html() const { return is_html_; }
  void set_html(bool is_html) { is_html_ = is_html; }

  void append(std::string_view bytes, Origin origin);
  void append(const TracedText& text) { append_part(text, 0, text.size_bytes()); }
  // REQUIRES: begin <= end <= text.size_bytes(), and both lie between characters.
  void append_part(const TracedText& text, size_t begin, size_t end);
  TracedText part(size_t begin, size_t end) const;

  // Each run's bytes go through `change`, which appends to `out`; the origins stay.
  template <class Change>
  TracedText changed(const Change& change) const {
    TracedText result;
    result.is_html_ = is_html_;
    size_t begin = 0;
    for (const Run& run : runs_) {
      std::string out;
      change(std::string_view(bytes_).substr(begin, run.end - begin), out);
      result.append(out, run.origin);
      begin = run.end;
    }
    return result;
  }

 private:
  std::string bytes_;
  std::vector<Run> runs_;
  bool is_html_ = false;
};

// Characters of well-formed UTF-8.
size_t count_characters(std::string_view bytes);
// The byte at which character `index` begins; the size of the text when it has no more than that.
size_t offset_of_character(std::string_view bytes, size_t index);
// The bytes that the character at `offset` takes.
size_t character_size_bytes(std::string_view bytes, size_t offset);

}  // namespace kvasir::text::jinja
