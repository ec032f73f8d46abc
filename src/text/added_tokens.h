// AddedTokens finds a tokenizer's added tokens (markers and the like) in raw text. First it looks
// for tokens that are not flagged "normalized", then for the flagged ones in what is left over.
// Where several begin at one place the longest wins.
//
// It is immutable once built, and any number of threads may use it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "kvasir/result.h"
#include "text/tokenizer_data.h"

namespace kvasir::text {

// A stretch of text: an added token, or (id < 0) text between two of them.
struct TextSegment {
  static constexpr int32_t kPlain = -1;

  std::string_view text;
  int32_t id = kPlain;
};

class AddedTokens {
 public:
  AddedTokens() = default;
  // Contents must be distinct, not empty and at most kContentBytesMax long, ids distinct.
  static Result<AddedTokens> build(std::vector<AddedToken> tokens, std::string_view where);

  static constexpr size_t kContentBytesMax = 256;

  // The pieces in order. Together they are the whole text, and none is empty.
  std::vector<TextSegment> split(std::string_view text) const;

  // Null when there is none.
  const AddedToken* find_id(int32_t id) const;
  const AddedToken* find_content(std::string_view content) const;

 private:
  // One of the two rounds of matching.
  struct Round {
    std::vector<AddedToken> tokens;  // by content
    std::array<bool, 256> starts{};  // whether some content begins with the byte

    const AddedToken* longest_at(std::string_view text, size_t position) const;
    void split(std::string_view text, std::vector<TextSegment>& segments) const;
  };

  std::array<Round, 2> rounds_;  // not normalized, normalized
  std::vector<AddedToken> by_id_;
};

}  // namespace kvasir::text
