// StreamDecoder: turns ids into text as they come, and never splits a character between two pieces.
//
// The pieces put together are exactly Tokenizer::decode of all ids. A tail that may still become a
// character is held back (at most 3 bytes); bytes that can no longer become one are given out as
// they are. Keeps a reference to the tokenizer, which must outlive it. One thread at a time.
#pragma once

#include <cstdint>
#include <string>

#include "text/tokenizer.h"

namespace kvasir::text {

class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  // The text that is certain now; often empty.
  std::string push(int32_t id);
  // What is left. The decoder is as new afterwards.
  std::string flush();

 private:
  const Tokenizer* tokenizer_;
  std::string pending_;
};

}  // namespace kvasir::text
