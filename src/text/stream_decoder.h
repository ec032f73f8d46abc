// A StreamDecoder turns ids into text as they come, and never splits a character between two
// pieces.
//
// The pieces put together are exactly Tokenizer::decode of all ids. A tail that may still become a
// character is held back (at most 3 bytes). Bytes that can no longer become one are given out as
// they are. The tokenizer must outlive the decoder. One thread at a time.
#pragma once

#include <cstdint>
#include <string>

#include "text/tokenizer.h"

namespace kvasir::text {

class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  // Adds an id. Returns the text that is certain now, which is often empty.
  std::string push(int32_t id);
  // Returns the bytes still held back. The decoder is as new afterwards.
  std::string flush();

 private:
  const Tokenizer* tokenizer_;
  std::string pending_;
};

}  // namespace kvasir::text
