// A RegexReader reads the characters of a regular expression and the sets that stand in it:
// escapes, properties, brackets. The parser of expressions builds on it. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kvasir/result.h"
#include "text/code_point_set.h"

namespace kvasir::text {

class RegexReader {
 public:
  RegexReader(std::string_view pattern, std::string_view where)
      : pattern_(pattern), where_(where) {}

  bool at_end() const { return position_ == pattern_.size(); }
  bool sees(std::string_view text) const { return pattern_.substr(position_).starts_with(text); }
  // Steps over the text if it comes next.
  bool take(std::string_view text);
  // REQUIRES: !at_end().
  uint32_t take_character();
  std::optional<uint32_t> take_number();

  // What an escape or a bracket stands for. REQUIRES: it sees "\\", or "[".
  Result<CodePointSet> read_escape();
  Result<CodePointSet> read_brackets();

  size_t position() const { return position_; }
  void go_back_to(size_t position) { position_ = position; }
  // The error that names the whole expression.
  Error refuse(std::string what) const;

 private:
  static constexpr int kDepthMax = 8;

  Result<CodePointSet> read_property(bool negated);
  Result<uint32_t> read_hex(size_t digits_max);
  // One member of a bracket; `single`: the character, if it is one.
  Result<CodePointSet> read_member(std::optional<uint32_t>& single);
  Result<CodePointSet> read_range();
  Result<CodePointSet> read_members();

  std::string_view pattern_;
  std::string_view where_;
  size_t position_ = 0;
  int depth_ = 0;
};

}  // namespace kvasir::text
