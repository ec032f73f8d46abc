// generate() samples token after token from a session, until something says stop. It owns nothing
// and runs on the engine's thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir {

class Grammar;

// A LogitBias is added to the logit of one token before anything else is done with it.
struct LogitBias {
  int32_t id = 0;
  float bias = 0;  // -100 to 100; -100 forbids
};

// SamplingOptions are applied in this order, to tokens that the grammar allows: bias and penalties,
// temperature, top_k, top_p, min_p. The draw for a token depends on the seed and the token's
// position alone, so a resumed or forked session samples as an uninterrupted one.
struct SamplingOptions {
  double temperature = 0;  // 0: greedy, ties to the lower id
  int64_t top_k = 0;       // keep the k most likely; 0: all
  double top_p = 1;        // keep the most likely until their probabilities sum to p
  double min_p = 0;        // keep tokens at least min_p times as likely as the most likely
  uint64_t seed = 0;
  std::vector<LogitBias> logit_bias;
  double presence_penalty = 0;   // -2 to 2; taken once from each token that the reply has
  double frequency_penalty = 0;  // -2 to 2; taken as often as the reply has the token
  // Above 0. Of tokens that prompt or reply has, it divides logits above 0 and multiplies others.
  double repetition_penalty = 1;
};

// Error: a value out of range, naming the option.
Status check(const SamplingOptions& options);

enum class StopReason : uint8_t {
  kEndOfText,
  kStopString,
  kTokenLimit,
  kInterrupted,
  kToolCalls,  // calls were made, and what they return is to follow
};
const char* name_of(StopReason reason);

struct GenerateOptions {
  SamplingOptions sampling;
  int64_t tokens_max = 256;
  std::vector<std::string> stop_strings;  // the text ends before the first complete one
  bool stops_at_end_of_text = true;       // at the model's EOS ids
  // What the text may be (kvasir/grammar.h), of a chat's reply the answer; null: anything. It ends
  // where the grammar does, at the model's EOS ids or, without stops_at_end_of_text, by itself.
  std::shared_ptr<const Grammar> grammar;
  bool reads_calls = false;                        // tool calls of the model's chat form are told
  int64_t calls_max = 0;                           // the reply ends behind so many; 0: any number
  bool wants_logprobs = false;                     // of each sampled token
  int top_logprob_count = 0;                       // and of the most likely; 0 to 20
  const std::atomic<bool>* interrupted = nullptr;  // set by another thread or a signal handler
};

// Error: a value out of range, naming the option.
Status check(const GenerateOptions& options);

struct Generated {
  std::vector<int32_t> tokens;  // sampled ids, the stopping EOS included
  std::string text;
  StopReason stop_reason = StopReason::kTokenLimit;
  double first_token_ms = 0;  // from the call
  double decode_ms = 0;
};

// A TextSink is called with pieces of whole characters. Only the last piece may end inside one.
// Together they are Generated::text.
using TextSink = std::function<void(std::string_view piece)>;

// Continues a session's text. REQUIRES: the session has logits. Every sampled token but the last is
// appended to the session. Errors: no tokenizer, no memory for the cache, logits that are not
// finite.
Result<Generated> generate(Engine& engine, Session& session, const GenerateOptions& options,
                           const TextSink& on_text = {});

}  // namespace kvasir
