// A Tokenizer turns text into token ids and back, as Hugging Face `tokenizers` does with
// DeepSeek-V4's tokenizer.json (byte-level BPE). When that file asks for something this class
// cannot do, loading fails. Only truncation, padding and post-processing are ignored, as they are
// no part of turning text into ids.
//
// A loaded Tokenizer is immutable, and any number of threads may use it at the same time. Moving it
// is cheap. Views that it hands out point into it and live as long as it does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/result.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/tokenizer_data.h"

namespace kvasir::text {

enum class SpecialTokens {
  kMatch,   // added tokens written out in the text become their ids
  kIgnore,  // for text from users: whatever it spells, it becomes plain BPE and forges no marker
};

class Tokenizer {
 public:
  // Ids stay below this.
  static constexpr int32_t kVocabSizeMax = kTokenIdsMax;

  static Result<Tokenizer> load(const std::string& path);
  // `where` names the text in messages.
  static Result<Tokenizer> parse(std::string_view json, std::string_view where);
  static Result<Tokenizer> build(const TokenizerData& data, std::string_view where);

  // Any bytes. A byte that is no part of well-formed UTF-8 counts as one character that is no
  // letter, mark, number, punctuation, symbol or white space; decode() gives the same byte back.
  // REQUIRES: text.size() < 4 GiB.
  std::vector<int32_t> encode(std::string_view text, SpecialTokens special) const;

  // The exact bytes of the tokens. Ids without a token (gaps, the padding of a model's logits)
  // give nothing.
  std::string decode(std::span<const int32_t> ids) const;

  // The bytes of one token. Empty for ids without a token.
  std::string_view token_bytes(int32_t id) const;
  // Whether the id is an added token that its file flags as special. DeepSeek's <think> is not.
  bool is_special(int32_t id) const;
  // The id of the added token that is written so, such as "<think>".
  std::optional<int32_t> added_token_id(std::string_view content) const;

  // The highest id + 1. A model's logits may be longer (padded).
  int32_t vocab_size() const { return static_cast<int32_t>(offsets_.size()) - 1; }

 private:
  Tokenizer() = default;

  Status set_token_bytes(const TokenizerData& data, const std::string& where);
  void encode_plain(std::string_view text, BpeScratch& scratch, std::vector<int32_t>& ids) const;

  Bpe bpe_;
  AddedTokens added_;
  std::string bytes_;                    // of all tokens, one after another
  std::vector<uint32_t> offsets_ = {0};  // token id: bytes_[offsets_[id], offsets_[id + 1])
};

}  // namespace kvasir::text
