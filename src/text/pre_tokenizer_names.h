// A GGUF file names its pre-tokenizer; these functions say what a name stands for. They are pure;
// any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/pre_tokenizer.h"

namespace kvasir::text {

struct NamedPreTokenizer {
  std::vector<SplitStep> steps;
  bool ignores_merges = false;  // a piece that is a token as a whole is taken whole
  bool adds_begin = false;      // the beginning-of-text token stands before a text, unless told so
  bool composes = false;        // texts are put into normal form C first
  bool is_raw = false;          // tokens are text with U+2581 for blanks, not the byte alphabet
};

// `name`: the value of tokenizer.ggml.pre. Null: not known.
std::optional<NamedPreTokenizer> named_pre_tokenizer(std::string_view name);

// The names that are known, for messages.
std::string pre_tokenizer_names();

// What a tokenizer.json's ByteLevel step cuts by unless told not to: GPT-2's expression.
std::string_view gpt2_pattern();

}  // namespace kvasir::text
