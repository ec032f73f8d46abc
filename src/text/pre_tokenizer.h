// A PreTokenizer cuts text into pieces, which byte-level BPE then encodes one by one. It does what
// DeepSeek's three regular expressions do. Each works inside the pieces of the one before:
//
//   1. \p{N}{1,3}
//   2. [U+4E00-U+9FA5 U+3040-U+30FF]+
//   3. [ASCII punctuation][A-Za-z]+ | [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+ | ?[\p{P}\p{S}]+[\r\n]*
//      | \s*[\r\n]+ | \s+(?!\S) | \s+                                     leftmost, first fit
//
// What nothing matches stays together as a piece. The pieces in order are the text, whatever its
// bytes. The text must outlive the PreTokenizer. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "text/unicode_category.h"

namespace kvasir::text {

class PreTokenizer {
 public:
  explicit PreTokenizer(std::string_view text) : text_(text) {}

  // The next piece, never empty; an empty one when the text is used up.
  std::string_view next();

 private:
  // One character and where it ends; at the end of a section one of size 0.
  struct Character {
    uint32_t code_point = 0;
    Category category = Category::kOther;
    bool exists = false;
    size_t end = 0;
  };

  Character character_at(size_t position) const;
  template <class Predicate>
  size_t skip_while(size_t position, Predicate fits) const;

  std::string_view take(size_t end);
  void find_section();
  // The end of the match of expression 3 that starts at `position`, or `position` for none.
  size_t match_at(size_t position) const;
  size_t match_word(size_t position, const Character& first) const;
  size_t match_symbols(size_t position, const Character& first) const;
  size_t match_space(size_t position) const;

  std::string_view text_;
  size_t position_ = 0;
  size_t section_end_ = 0;  // the end of the piece of expressions 1 and 2 that holds position_
  size_t match_end_ = 0;    // beyond position_: a match found behind an unmatched stretch
};

}  // namespace kvasir::text
