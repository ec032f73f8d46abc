// A Generation is one answer in progress, as a machine that is stepped: it is given the logits of
// the newest token and samples the next one, which it wants to have computed before the step that
// follows. It knows no session, so that one loop serves one answer and a scheduler serves many.
//
//   Generation generation = *Generation::create(engine, options, ReplyKind::kText);
//   while (!generation.is_done()) {
//     if (const auto id = generation.wanted()) session.append({&*id, 1});
//     show(*generation.step(session.logits(), session.length()));
//   }
//
// It refers to its engine, reads nothing of it that changes, and belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvasir/conversation.h"
#include "kvasir/engine.h"
#include "kvasir/generate.h"
#include "kvasir/result.h"

namespace kvasir {

struct TokenLogprob {
  int32_t id = 0;
  float logprob = 0;  // of the model's own distribution: before temperature, penalties and bias
};

struct SampledToken {
  int32_t id = 0;
  float logprob = 0;                      // 0 unless GenerateOptions::wants_logprobs
  std::vector<TokenLogprob> most_likely;  // top_logprob_count of them, the most likely first
};

// How sampled ids become text.
enum class ReplyKind : uint8_t {
  kText,       // as they are
  kAnswer,     // a turn of the model's chat form
  kReasoning,  // the same, and the prompt opened its reasoning
  kIds,        // not at all: pieces have tokens alone, and no tokenizer is needed
};

// A GenerationPiece is what one step made sure of. Texts of all pieces together are the reply.
struct GenerationPiece {
  std::string reasoning;
  std::string answer;            // whole characters, but for the last piece
  std::vector<CallPiece> calls;  // in order; they come after the answer
  // Sampled since the piece before, with GenerateOptions::wants_logprobs or ReplyKind::kIds. Text
  // that may be the beginning of a stop string is held back, so tokens can come before their text.
  std::vector<SampledToken> tokens;

  bool empty() const {
    return reasoning.empty() && answer.empty() && calls.empty() && tokens.empty();
  }
};

class Generation {
 public:
  // With tokens_max 0 it is done at once. GenerateOptions::interrupted is not looked at: stop() is
  // its caller's. Errors: an option out of range, a bias for an id outside the vocabulary, no
  // tokenizer, none of the model's chat forms where `kind` wants one.
  static Result<Generation> create(Engine& engine, const GenerateOptions& options, ReplyKind kind);
  Generation(Generation&&) noexcept;
  Generation& operator=(Generation&&) noexcept;
  ~Generation();

  // The prompt, for penalties that look at it; may be left out where there are none. REQUIRES:
  // nothing is sampled yet, ids of the vocabulary.
  void set_prompt(std::span<const int32_t> prompt);

  // Samples the token at `position`, the count of tokens before it. logits [vocab]. Returns what of
  // the reply is certain now; often nothing. REQUIRES: !is_done(). Errors: a logit that is not
  // finite, every token is forbidden.
  Result<GenerationPiece> step(std::span<const float> logits, int64_t position);
  // Ends the reply where it is, and returns the text that was held back. REQUIRES: !is_done().
  GenerationPiece stop(StopReason reason);

  bool is_done() const;
  // The sampled id that has to go through the model before the next step. None: before the first
  // step, and after the last: the id that ends a reply is not computed.
  std::optional<int32_t> wanted() const;

  std::span<const int32_t> tokens() const;  // sampled ids, the one that ended it included
  int64_t reasoning_token_count() const;    // those of them that belong to reasoning
  StopReason stop_reason() const;           // REQUIRES: is_done()
  // Which of the stop strings ended it; empty: none.
  const std::string& stop_string() const;

 private:
  struct State;
  explicit Generation(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvasir
