// TokenizerData holds what a tokenizer file says, before it is checked as a whole and made into
// tables. Readers of file formats fill it, and Tokenizer::build takes it. A plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvasir/result.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"

namespace kvasir {
class Json;
}

namespace kvasir::text {

inline constexpr int32_t kTokenIdsMax = 1 << 20;

// How the texts of tokens stand in the file.
enum class TokenAlphabet {
  kBytes,       // in the byte alphabet
  kCharacters,  // as they are, with U+2581 for blanks; "<0x0A>" is a byte (SentencePiece)
};

struct BaseToken {
  std::string text;
  int32_t id = 0;
  bool is_text = true;  // text can become it; not so for the control tokens of a file
};

struct AddedToken {
  std::string content;  // as it is written in text
  int32_t id = 0;
  bool special = false;
  bool normalized = false;  // matched after those that are not
  // A match takes the white space before it, or behind it, along.
  bool strips_before = false;
  bool strips_after = false;
  bool single_word = false;  // no match inside a word
  // Matched whatever the text may spell. For tokens that can be no marker.
  bool in_every_text = false;
};

// The tokens that frame texts and answers.
struct FrameTokens {
  std::optional<int32_t> begin;  // BOS
  std::optional<int32_t> end;    // EOS
  std::optional<int32_t> unknown;
  std::optional<int32_t> padding;
  // What the model was made to see before and behind every text; BOS, or nothing.
  std::vector<int32_t> before;
  std::vector<int32_t> after;
  // Each of these ends an answer. Ascending.
  std::vector<int32_t> ends;
};

struct TokenizerData {
  TokenAlphabet alphabet = TokenAlphabet::kBytes;
  std::vector<BaseToken> tokens;
  std::vector<std::pair<std::string, std::string>> merges;  // best first
  // Of each of `tokens`, in place of merges: two neighbours merge to the token of highest score.
  std::vector<float> scores;
  std::vector<AddedToken> added;
  std::vector<NormalizerStep> normalizer;
  std::vector<NormalizerStep> late_normalizer;  // after added tokens that are normalized were found
  std::vector<SplitStep> splits;
  bool ignores_merges = false;      // a piece that is a token as a whole is taken whole
  bool strips_first_blank = false;  // when decoding
  FrameTokens frame;
};

// Reads a Hugging Face tokenizer.json. `where` names the text in messages.
Result<TokenizerData> parse_tokenizer_json(std::string_view json, std::string_view where);

// Adds to data.frame what the files beside a tokenizer.json say: tokenizer_config.json,
// generation_config.json, config.json. Each may be absent.
Status read_frame_tokens(const std::string& directory, TokenizerData& data);

// Reads the tokenizer in the keys of a GGUF file. `where` names the file in messages.
Result<TokenizerData> read_gguf_tokenizer(const Json& keys, std::string_view where);

// Counts the tokens that are known to end answers by the way they are spelled among
// data.frame.ends, and puts these in order.
void complete_frame_tokens(TokenizerData& data);

}  // namespace kvasir::text
