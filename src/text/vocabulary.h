// A Vocabulary is the index of a tokenizer's tokens by their texts, while a Tokenizer is built: it
// finds bytes, characters and merges. It refers to the TokenizerData it was made from, which must
// outlive it. Immutable once made.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kvasir/result.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/tokenizer_data.h"

namespace kvasir::text {

class Vocabulary {
 public:
  // `where` names the file in messages. Errors: two tokens that text can become have
  // one text.
  static Result<Vocabulary> make(const TokenizerData& data, std::string_view where);

  std::optional<int32_t> find(std::string_view text) const;
  // Some makers left out bytes that their texts never had; these are Bpe::kNoToken. Errors: a byte
  // of visible text has no token.
  Result<std::array<int32_t, 256>> byte_ids() const;
  // Tokens of one character, by code point; none in the byte alphabet.
  std::unordered_map<uint32_t, int32_t> character_ids(const AddedTokens& added) const;
  // Best first. Errors: merges of what is no token, or that occur twice; a byte that is an added
  // token, and in the byte alphabet a merge that leads to one. In the other such merges are left
  // out: some makers list them.
  Result<std::vector<BpeMerge>> merges(const AddedTokens& added) const;

 private:
  Vocabulary(const TokenizerData& data, std::string_view where) : data_(&data), where_(where) {}

  bool is_out_of_reach(int32_t id, std::string_view text, const AddedTokens& added) const;
  Result<std::vector<BpeMerge>> listed_merges(const AddedTokens& added) const;
  std::vector<BpeMerge> scored_merges(const AddedTokens& added) const;
  Status check_bytes(const AddedTokens& added) const;
  Status check_forgery(int32_t id, const AddedTokens& added) const;

  const TokenizerData* data_;
  std::string where_;
  std::unordered_map<std::string_view, int32_t> ids_;
};

// The bytes that a token's text stands for.
std::string token_bytes_of(TokenAlphabet alphabet, std::string_view text);
// "<0x0A>" is a byte in the alphabet of characters.
std::optional<uint8_t> byte_of_token_text(std::string_view text);

// The sign that stands for a blank in the alphabet of characters.
inline constexpr std::string_view kBlankSign = "▁";

}  // namespace kvasir::text
