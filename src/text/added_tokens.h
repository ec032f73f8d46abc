// AddedTokens finds a tokenizer's added tokens (markers and the like) in text: those that are not
// flagged "normalized" in raw text, the flagged ones in what is left over, once it is normalized.
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

enum class SpecialTokens {
  kMatch,   // added tokens written out in the text become their ids
  kIgnore,  // for text from users: whatever it spells, it becomes plain BPE and forges no marker
};

// A stretch of text: an added token, or (id < 0) text between two of them.
struct TextSegment {
  static constexpr int32_t kPlain = -1;

  std::string_view text;
  int32_t id = kPlain;
};

class AddedTokens {
 public:
  AddedTokens() = default;
  // Contents must be distinct, not empty and at most kContentBytesMax long, ids distinct. The
  // contents of those that are flagged "normalized" are normalized, too.
  static Result<AddedTokens> build(std::vector<AddedToken> tokens, std::string_view where,
                                   const Normalizer& normalizer = {});

  static constexpr size_t kContentBytesMax = 256;

  // The pieces in order. Together they are the whole text, and none is empty.
  std::vector<TextSegment> split(std::string_view text) const;
  // The same in two halves: those of raw text, and those of normalized text.
  std::vector<TextSegment> split_raw(std::string_view text, SpecialTokens special) const;
  std::vector<TextSegment> split_normalized(std::string_view text, SpecialTokens special) const;

  // Null when there is none.
  const AddedToken* find_id(int32_t id) const;
  const AddedToken* find_content(std::string_view content) const;

 private:
  // One of the rounds of matching.
  struct Round {
    std::vector<AddedToken> tokens;  // by content
    std::array<bool, 256> starts{};  // whether some content begins with the byte

    void finish();
    const AddedToken* longest_at(std::string_view text, size_t position) const;
    void split(std::string_view text, std::vector<TextSegment>& segments) const;
  };

  std::array<Round, 2> raw_;  // by SpecialTokens
  std::array<Round, 2> normalized_;
  std::vector<AddedToken> by_id_;
};
}  // namespace kvasir::text
