// What kind of character a code point is, as far as the pre-tokeniser asks. The table behind it is
// generated from the regex engine that the models' tokenizers were made with
// (tools/unicode_table.py). Free functions without state; any thread.
#pragma once

#include <cstdint>

namespace kvasir::text {

enum class Category : uint8_t {
  kOther,  // controls, formats, unassigned code points, bytes that are no character
  kLetter,
  kMark,
  kNumber,
  kPunctuation,
  kSymbol,
  kSpace,  // white space, line ends included
};

// Any value; beyond the last code point everything is kOther.
Category category_of(uint32_t code_point);

}  // namespace kvasir::text
