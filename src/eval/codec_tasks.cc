#include "eval/codec_tasks.h"

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "eval/token_comparison.h"

namespace kvasir::eval {
namespace {

constexpr uint64_t kCopySeed = 1;
// Tokens of whole words and parts of words, where the vocabulary is large enough.
constexpr int64_t kFirstCopyToken = 1000;
constexpr int64_t kEndCopyToken = 20000;
// Sessions that are decoded at once.
constexpr size_t kSessionsAtOnce = 8;

// Small vocabularies begin with marks too.
std::vector<int32_t> random_tokens(int64_t vocab, Random& random) {
  const int64_t end = std::min(kEndCopyToken, vocab);
  const int64_t first = std::min(kFirstCopyToken, end / 20);
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < kCopyTokens; ++i) {
    tokens.push_back(static_cast<int32_t>(first + random.below(end - first)));
  }
  return tokens;
}

std::vector<int32_t> joined(std::span<const int32_t> first, std::span<const int32_t> second) {
  std::vector<int32_t> tokens(first.begin(), first.end());
  tokens.insert(tokens.end(), second.begin(), second.end());
  return tokens;
}

// The token that each of these predicts, once all before them were read.
Result<std::vector<int32_t>> best_tokens(Engine& engine, std::span<const int32_t> tokens,
                                         CodecWork& work) {
  KVASIR_ASSIGN_OR_RETURN(Session session, engine.new_session());
  const auto vocab = static_cast<size_t>(engine.info().vocab_size);
  std::vector<int32_t> best;
  KVASIR_RETURN_IF_ERROR(
      session.append_with_logits(tokens, [&](std::span<const float> logits) -> Status {
        const auto count = static_cast<int64_t>(logits.size() / vocab);
        for (; !logits.empty(); logits = logits.subspan(vocab)) {
          best.push_back(static_cast<int32_t>(best_token(logits.first(vocab))));
        }
        return work.add(count);
      }));
  return best;
}

// Some prompts, decoded together.
class Decoding {
 public:
  Decoding(Engine& engine, std::span<Continuation> continuations)
      : engine_(engine), continuations_(continuations) {}

  Status run(CodecWork& work) {
    for (const Continuation& one : continuations_) {
      KVASIR_ASSIGN_OR_RETURN(Session session, engine_.new_session());
      KVASIR_RETURN_IF_ERROR(session.append(one.prompt));
      KVASIR_RETURN_IF_ERROR(work.add(std::ssize(one.prompt)));
      sessions_.push_back(std::move(session));
    }
    for (int64_t i = 0; i < kContinuedTokens; ++i) {
      KVASIR_RETURN_IF_ERROR(take_best());
      KVASIR_RETURN_IF_ERROR(work.add(std::ssize(sessions_)));
    }
    return ok_status();
  }

 private:
  Status take_best() {
    std::vector<BatchInput> inputs;
    for (size_t i = 0; i < sessions_.size(); ++i) {
      std::vector<int32_t>& tokens = continuations_[i].tokens;
      tokens.push_back(static_cast<int32_t>(best_token(sessions_[i].logits())));
      inputs.push_back({.session = &sessions_[i], .tokens = std::span(tokens).last(1)});
    }
    return append(inputs);
  }

  // In passes that the engine takes.
  Status append(std::span<const BatchInput> inputs) {
    const auto most = static_cast<size_t>(engine_.info().pass_tokens_max);
    while (!inputs.empty()) {
      const auto some = inputs.first(std::min(most, inputs.size()));
      KVASIR_RETURN_IF_ERROR(engine_.append_batch(some));
      inputs = inputs.subspan(some.size());
    }
    return ok_status();
  }

  Engine& engine_;
  std::span<Continuation> continuations_;
  std::vector<Session> sessions_;
};

}  // namespace

int64_t copy_tokens() { return kCopySequences * 2 * kCopyTokens; }
int64_t divergence_tokens() { return kPrompts * (kPromptTokens + kContinuedTokens); }

Result<CopyScore> score_copy(Engine& engine, std::span<const int32_t> before, CodecWork& work) {
  Random random(kCopySeed);
  CopyScore score;
  for (int64_t i = 0; i < kCopySequences; ++i) {
    const std::vector<int32_t> once = random_tokens(engine.info().vocab_size, random);
    const std::vector<int32_t> twice = joined(before, joined(once, once));
    KVASIR_ASSIGN_OR_RETURN(const std::vector<int32_t> best, best_tokens(engine, twice, work));
    for (size_t next = before.size() + once.size(); next < twice.size(); ++next) {
      score.right_count += best[next - 1] == twice[next] ? 1 : 0;
      ++score.count;
    }
  }
  return score;
}

Result<std::vector<Continuation>> prompts_of(const std::vector<CodecText>& texts,
                                             std::span<const int32_t> before) {
  std::vector<Continuation> prompts;
  const int64_t text_count = std::ssize(texts);
  for (int64_t i = 0; i < kPrompts; ++i) {
    const CodecText& text = texts[static_cast<size_t>(i % text_count)];
    const int64_t room = std::ssize(text.ids) - kPromptTokens;
    if (room < 0) {
      return Error{.kind = ErrorKind::kUsage,
                   .what = "a text is shorter than a prompt",
                   .where = text.name,
                   .expected = "at least " + std::to_string(kPromptTokens) + " tokens",
                   .found = std::to_string(text.ids.size())};
    }
    const int64_t of_text = (kPrompts - i % text_count - 1) / text_count + 1;
    const int64_t begin = room * (i / text_count) / of_text;
    const auto ids = std::span(text.ids).subspan(static_cast<size_t>(begin), kPromptTokens);
    prompts.push_back({.prompt = joined(begin == 0 ? std::span<const int32_t>() : before, ids)});
  }
  return prompts;
}

Status continue_prompts(Engine& engine, std::vector<Continuation>& continuations, CodecWork& work) {
  for (size_t first = 0; first < continuations.size(); first += kSessionsAtOnce) {
    const size_t count = std::min(kSessionsAtOnce, continuations.size() - first);
    Decoding decoding(engine, std::span(continuations).subspan(first, count));
    KVASIR_RETURN_IF_ERROR(decoding.run(work));
  }
  return ok_status();
}

Json to_json(const std::vector<Continuation>& continuations) {
  Json::Array all;
  for (const Continuation& one : continuations) {
    Json::Array tokens;
    for (const int32_t token : one.tokens) tokens.emplace_back(token);
    all.emplace_back(std::move(tokens));
  }
  return all;
}

Status take_continuations(const Json& entry, std::vector<Continuation>& continuations) {
  const Error damaged{.kind = ErrorKind::kDamaged,
                      .what = "the log has an entry that is not of this program's making"};
  const Json::Array* all = entry.as_array();
  if (all == nullptr || all->size() != continuations.size()) return damaged;
  for (size_t i = 0; i < all->size(); ++i) {
    const Json::Array* tokens = (*all)[i].as_array();
    if (tokens == nullptr || std::ssize(*tokens) != kContinuedTokens) return damaged;
    for (const Json& token : *tokens) {
      if (token.as_integer() == nullptr) return damaged;
      continuations[i].tokens.push_back(static_cast<int32_t>(*token.as_integer()));
    }
  }
  return ok_status();
}

Result<DivergenceScore> score_divergence(Engine& engine,
                                         const std::vector<Continuation>& continuations,
                                         CodecWork& work) {
  DivergenceScore score;
  for (const Continuation& one : continuations) {
    const std::vector<int32_t> read = joined(one.prompt, one.tokens);
    KVASIR_ASSIGN_OR_RETURN(const std::vector<int32_t> best, best_tokens(engine, read, work));
    const auto chosen = best.begin() + std::ssize(one.prompt) - 1;
    const auto differs = std::mismatch(one.tokens.begin(), one.tokens.end(), chosen).first;
    score.first_tokens.push_back(differs - one.tokens.begin());
  }
  return score;
}

}  // namespace kvasir::eval
