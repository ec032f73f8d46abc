// TokenizerData holds what a tokenizer file says, before it is checked as a whole and made into
// tables. Readers of file formats fill it, and Tokenizer::build takes it. A plain value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvasir/result.h"

namespace kvasir::text {

inline constexpr int32_t kTokenIdsMax = 1 << 20;

struct BaseToken {
  std::string text;  // in the byte alphabet
  int32_t id = 0;
};

struct AddedToken {
  std::string content;  // as it is written in text
  int32_t id = 0;
  bool special = false;
  bool normalized = false;  // matched after those that are not
};

struct TokenizerData {
  std::vector<BaseToken> tokens;
  std::vector<std::pair<std::string, std::string>> merges;  // best first
  std::vector<AddedToken> added;
};

// Reads a Hugging Face tokenizer.json. `where` names the text in messages.
Result<TokenizerData> parse_tokenizer_json(std::string_view json, std::string_view where);

}  // namespace kvasir::text
