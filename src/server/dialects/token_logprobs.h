// Log-probabilities of tokens, in the two forms that OpenAI's clients read. What has none that JSON
// could hold counts as -9999. Plain values; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "kvasir/generation.h"

namespace kvasir::server {

using TokenText = std::function<std::string(int32_t id)>;

// [{token, logprob, bytes, top_logprobs: [{token, logprob, bytes}]}], as Chat Completions has it.
Json::Array chat_logprobs(std::span<const SampledToken> tokens, const TokenText& token_text);

// A CompletionLogprobs gathers the tokens of one text as Completions has them: lists beside each
// other, {tokens, token_logprobs, top_logprobs, text_offset}. Offsets count characters from the
// beginning of the text.
class CompletionLogprobs {
 public:
  // `top_count`: 0 writes null where a list of the most likely would be.
  CompletionLogprobs(TokenText token_text, int top_count);

  // The tokens of a prompt that the text begins with; the first one has no probability.
  void add_prompt(std::span<const SampledToken> tokens, std::string_view text);
  void add(std::span<const SampledToken> tokens);
  bool empty() const { return tokens_.empty(); }
  // What was gathered since the last time.
  Json take();

 private:
  void add_token(const SampledToken& token, int64_t offset);
  Json most_likely(const SampledToken& token) const;

  TokenText token_text_;
  int top_count_;
  int64_t characters_ = 0;  // of the text so far
  Json::Array tokens_;
  Json::Array logprobs_;
  Json::Array most_likely_;
  Json::Array offsets_;
};

}  // namespace kvasir::server
