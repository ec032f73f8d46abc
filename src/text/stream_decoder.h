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
  // Of what the ids are: a text of their own, or the rest of one, whose first blank stays.
  enum class Start { kText, kContinuation };

  explicit StreamDecoder(const Tokenizer& tokenizer, Start start = Start::kText)
      : tokenizer_(&tokenizer), start_(start), strips_blank_(strips_blank_at_start()) {}

  // Adds an id. Returns the text that is certain now, which is often empty.
  std::string push(int32_t id);
  // Returns the bytes still held back. The decoder is as new afterwards.
  std::string flush();

 private:
  bool strips_blank_at_start() const {
    return start_ == Start::kText && tokenizer_->strips_first_blank();
  }

  const Tokenizer* tokenizer_;
  Start start_;
  bool strips_blank_;  // from the next bytes
  std::string pending_;
};

}  // namespace kvasir::text
