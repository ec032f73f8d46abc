// A RegexSets reads the characters of a regular expression and the sets that stand in it: escapes
// and brackets. It refers to the pattern. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "grammar/characters.h"
#include "kvasir/result.h"

namespace kvasir::grammar {

class RegexSets {
 public:
  explicit RegexSets(std::string_view pattern) : pattern_(pattern) {}

  bool at_end() const { return position_ == pattern_.size(); }
  bool sees(std::string_view text) const { return pattern_.substr(position_).starts_with(text); }
  // Steps over the text if it comes next.
  bool take(std::string_view text);
  std::optional<int64_t> take_number();
  // REQUIRES: !at_end(). Error: bytes that are no UTF-8.
  Result<uint32_t> take_character();
  // What stands behind a backslash, or in brackets. REQUIRES: it sees "\\", or "[".
  Result<CharacterSet> read_escape();
  Result<CharacterSet> read_brackets();

  size_t position() const { return position_; }
  void go_back_to(size_t position) { position_ = position; }
  Error refuse(std::string expected) const;

 private:
  // One member of a bracket; `single`: the character, if it is one.
  Result<CharacterSet> read_member(std::optional<uint32_t>& single);
  Result<CharacterSet> read_range();
  Result<uint32_t> read_hex(uint32_t letter);

  std::string_view pattern_;
  size_t position_ = 0;
};

}  // namespace kvasir::grammar
