// A Tokenizer turns text into token ids and back, as Hugging Face `tokenizers` does with a model's
// tokenizer.json, and from the same tables in a GGUF file: byte-level BPE and SentencePiece's BPE.
// When a file asks for something this class cannot do, loading fails. Only truncation and padding
// are ignored, as they are no part of turning text into ids.
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
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/token_table.h"
#include "text/tokenizer_data.h"

namespace kvasir::text {

// A TextPart is a part of a text to be encoded.
struct TextPart {
  std::string_view text;
  bool may_hold_markers = false;  // else whatever it spells is plain text
};

class Tokenizer {
 public:
  // Ids stay below this.
  static constexpr int32_t kVocabSizeMax = kTokenIdsMax;

  // `model_path`: a checkpoint directory with a tokenizer.json, a GGUF file or a directory with
  // one.
  static Result<Tokenizer> open(const std::string& model_path);
  // `path`: a tokenizer.json. Nothing beside it is looked at.
  static Result<Tokenizer> load(const std::string& path);
  // `where` names the text in messages.
  static Result<Tokenizer> parse(std::string_view json, std::string_view where);
  static Result<Tokenizer> build(const TokenizerData& data, std::string_view where);

  // Any bytes. A byte that is no part of well-formed UTF-8 counts as one character that is no
  // letter, mark, number, punctuation, symbol or white space. decode() gives the same bytes back,
  // unless the model's own normalizer loses something, tokens took white space along, or the
  // vocabulary lacks a byte.
  // REQUIRES: text.size() < 1 GiB.
  std::vector<int32_t> encode(std::string_view text, SpecialTokens special) const;

  // One text in parts. Between markers the text is encoded as a whole, so that ids do not depend on
  // where one part ends and the next begins.
  std::vector<int32_t> encode_parts(std::span<const TextPart> parts) const;

  // The exact bytes of the tokens. Ids without a token (gaps, the padding of a model's logits)
  // give nothing. Where encoding puts a blank in front of a text, it is taken away again.
  std::string decode(std::span<const int32_t> ids) const;

  // The bytes of one token. Empty for ids without a token.
  std::string_view token_bytes(int32_t id) const { return tokens_.bytes(id); }
  // Whether decode() takes a blank away from the front of its text.
  bool strips_first_blank() const { return strips_first_blank_; }
  // Whether the id is an added token that its file flags as special. DeepSeek's <think> is not.
  bool is_special(int32_t id) const;
  // The id of the added token that is written so, such as "<think>".
  std::optional<int32_t> added_token_id(std::string_view content) const;
  // What stands around texts and what ends answers, as far as the files say. encode() adds none.
  const FrameTokens& frame() const { return frame_; }

  // The highest id + 1. A model's logits may be longer (padded).
  int32_t vocab_size() const { return tokens_.size(); }

 private:
  class Encoding;

  Tokenizer() = default;

  TokenTable tokens_;
  AddedTokens added_;
  Normalizer normalizer_;
  Normalizer late_normalizer_;
  PreTokenizer pre_tokenizer_;
  Bpe bpe_;
  FrameTokens frame_;
  bool ignores_merges_ = false;
  bool strips_first_blank_ = false;
};

}  // namespace kvasir::text
