#include "kvasir/generation.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "engine/answer_constraint.h"
#include "engine/engine_state.h"
#include "engine/logprobs.h"
#include "engine/reply_form.h"
#include "engine/reply_stream.h"
#include "engine/sampler.h"

namespace kvasir {
namespace {

// Long replies grow the list of their tokens; short ones do not.
constexpr int64_t kReservedTokensMax = 1024;

Result<std::unique_ptr<ReplyStream>> make_reply_stream(const Engine::State& engine, ReplyKind kind,
                                                       const GenerateOptions& options) {
  const std::vector<std::string>& stops = options.stop_strings;
  std::unique_ptr<ReplyStream> made;
  if (kind == ReplyKind::kIds) {
    if (!stops.empty()) {
      return Error{.kind = ErrorKind::kUsage,
                   .what = "a reply without text has no stop strings",
                   .field = "stop_strings"};
    }
    made = std::make_unique<IdsReplyStream>();
  } else if (kind == ReplyKind::kText) {
    KVASIR_ASSIGN_OR_RETURN(const text::Tokenizer* tokenizer, engine.require_tokenizer());
    made = std::make_unique<PlainReplyStream>(*tokenizer, stops);
  } else {
    KVASIR_ASSIGN_OR_RETURN(const text::ReplyForm form, reply_form_of(engine));
    auto calls = options.reads_calls ? text::make_call_reader(form, options.calls_max) : nullptr;
    made = std::make_unique<ChatReplyStream>(form, kind == ReplyKind::kReasoning, stops,
                                             std::move(calls));
  }
  return made;
}

// What may stand around an answer, beside its grammar.
Result<AnswerConstraint::Markers> markers_of(const Engine::State& engine,
                                             const GenerateOptions& options, ReplyKind kind) {
  AnswerConstraint::Markers markers;
  if (options.stops_at_end_of_text) markers.ends = engine.end_ids;
  if (kind != ReplyKind::kAnswer && kind != ReplyKind::kReasoning) return markers;
  KVASIR_ASSIGN_OR_RETURN(const text::ReplyForm form, reply_form_of(engine));
  // A form also lists what ends a reply only by mistake, as the beginning of the next turn.
  if (markers.ends.empty()) markers.ends = form.ends;
  if (!form.reasons_at_start_alone) markers.think_begin = form.think_begin;
  markers.think_end = form.think_end;
  return markers;
}

Result<std::optional<AnswerConstraint>> make_constraint(const Engine::State& engine,
                                                        const GenerateOptions& options,
                                                        ReplyKind kind) {
  std::optional<AnswerConstraint> made;
  if (options.grammar == nullptr) return made;
  KVASIR_ASSIGN_OR_RETURN(AnswerConstraint::Markers markers, markers_of(engine, options, kind));
  made.emplace(options.grammar, engine.info.vocab_size, std::move(markers));
  return made;
}

Status check_biases(const std::vector<LogitBias>& biases, int64_t vocab_size) {
  for (const LogitBias& one : biases) {
    if (one.id < vocab_size) continue;
    return Error{.kind = ErrorKind::kUsage,
                 .what = "token id outside the vocabulary",
                 .field = "logit_bias",
                 .expected = "below " + std::to_string(vocab_size),
                 .found = std::to_string(one.id)};
  }
  return ok_status();
}

Error out_of_range(const char* field, const char* expected, int64_t found) {
  return Error{.kind = ErrorKind::kUsage,
               .what = "option out of range",
               .field = field,
               .expected = expected,
               .found = std::to_string(found)};
}

}  // namespace

Status check(const GenerateOptions& options) {
  KVASIR_RETURN_IF_ERROR(check(options.sampling));
  if (options.tokens_max < 0) return out_of_range("tokens_max", "0 or more", options.tokens_max);
  if (options.calls_max < 0) return out_of_range("calls_max", "0 or more", options.calls_max);
  if (options.top_logprob_count < 0 || options.top_logprob_count > 20) {
    return out_of_range("top_logprob_count", "0 to 20", options.top_logprob_count);
  }
  return ok_status();
}

struct Generation::State {
  State(const Engine::State& used, const GenerateOptions& options,
        std::unique_ptr<ReplyStream> stream, std::optional<AnswerConstraint> grammar,
        bool tells_ids)
      : engine(used),
        sampler(options.sampling, used.info.vocab_size),
        reply(std::move(stream)),
        constraint(std::move(grammar)),
        tokens_max(options.tokens_max),
        stops_at_end_of_text(options.stops_at_end_of_text),
        wants_logprobs(options.wants_logprobs),
        wants_ids(tells_ids),
        top_logprob_count(options.top_logprob_count) {
    tokens.reserve(static_cast<size_t>(std::min(tokens_max, kReservedTokensMax)));
    if (tokens_max == 0) stop_reason = StopReason::kTokenLimit;
  }

  bool is_done() const { return stop_reason.has_value(); }
  // Adds the text of the newest token. Returns why the reply ends with it; nothing where it goes
  // on.
  std::optional<StopReason> read_newest(GenerationPiece& piece);
  void finish(StopReason reason, GenerationPiece& piece);
  // The ids that may come next; null: all.
  const grammar::TokenMask* allowed();
  // Follows the newest token, which ended nothing so far.
  void follow_grammar(bool was_in_reasoning, std::optional<StopReason>& end);

  const Engine::State& engine;
  Sampler sampler;
  std::unique_ptr<ReplyStream> reply;
  std::optional<AnswerConstraint> constraint;  // none: any text
  int64_t tokens_max;
  bool stops_at_end_of_text;
  bool wants_logprobs;
  bool wants_ids;
  int top_logprob_count;

  std::vector<int32_t> tokens;
  int64_t reasoning_token_count = 0;
  std::optional<StopReason> stop_reason;  // none: the reply goes on
  std::string stop_string;
};

std::optional<StopReason> Generation::State::read_newest(GenerationPiece& piece) {
  const int32_t id = tokens.back();
  const bool was_in_reasoning = reply->in_reasoning();
  std::optional<StopReason> end;
  const std::vector<int32_t>& ends = engine.end_ids;
  if (stops_at_end_of_text && std::find(ends.begin(), ends.end(), id) != ends.end()) {
    end = StopReason::kEndOfText;
  } else {
    end = reply->push(id, piece);
  }
  if (was_in_reasoning || reply->in_reasoning()) ++reasoning_token_count;
  if (constraint && !end) follow_grammar(was_in_reasoning, end);
  if (!end && std::ssize(tokens) >= tokens_max) end = StopReason::kTokenLimit;
  return end;
}

const grammar::TokenMask* Generation::State::allowed() {
  return constraint ? &constraint->allowed(reply->in_reasoning()) : nullptr;
}

void Generation::State::follow_grammar(bool was_in_reasoning, std::optional<StopReason>& end) {
  if (was_in_reasoning || reply->in_reasoning()) return;
  constraint->add(tokens.back(), engine.tokenizer->token_bytes(tokens.back()));
  if (constraint->ends_by_itself()) end = StopReason::kEndOfText;
}

void Generation::State::finish(StopReason reason, GenerationPiece& piece) {
  reply->finish(piece);
  // A model may leave it at a call without its end.
  const bool ends_with_calls = reason == StopReason::kEndOfText && reply->has_calls();
  stop_reason = ends_with_calls ? StopReason::kToolCalls : reason;
}

Generation::Generation(std::unique_ptr<State> state) : state_(std::move(state)) {}
Generation::Generation(Generation&&) noexcept = default;
Generation& Generation::operator=(Generation&&) noexcept = default;
Generation::~Generation() = default;

Result<Generation> Generation::create(Engine& engine, const GenerateOptions& options,
                                      ReplyKind kind) {
  KVASIR_RETURN_IF_ERROR(check(options));
  KVASIR_RETURN_IF_ERROR(check_biases(options.sampling.logit_bias, engine.info().vocab_size));
  KVASIR_ASSIGN_OR_RETURN(std::unique_ptr<ReplyStream> reply,
                          make_reply_stream(engine.state(), kind, options));
  KVASIR_ASSIGN_OR_RETURN(std::optional<AnswerConstraint> constraint,
                          make_constraint(engine.state(), options, kind));
  return Generation(std::make_unique<State>(engine.state(), options, std::move(reply),
                                            std::move(constraint), kind == ReplyKind::kIds));
}

void Generation::set_prompt(std::span<const int32_t> prompt) {
  KVASIR_CHECK(state_->tokens.empty(), "the prompt comes before the reply");
  state_->sampler.set_prompt(prompt);
}

Result<GenerationPiece> Generation::step(std::span<const float> logits, int64_t position) {
  State& state = *state_;
  KVASIR_CHECK(!state.is_done(), "a reply that goes on");
  const grammar::TokenMask* const allowed = state.allowed();
  if (allowed != nullptr && allowed->is_empty()) return state.constraint->dead_end();
  KVASIR_ASSIGN_OR_RETURN(const int32_t id, state.sampler.sample(logits, position, allowed));
  GenerationPiece piece;
  if (state.wants_logprobs) {
    KVASIR_ASSIGN_OR_RETURN(SampledToken token,
                            logprobs_of(logits, position, id, state.top_logprob_count));
    piece.tokens.push_back(std::move(token));
  } else if (state.wants_ids) {
    piece.tokens.push_back({.id = id});
  }
  state.tokens.push_back(id);
  if (const std::optional<StopReason> end = state.read_newest(piece)) {
    state.finish(*end, piece);
    // Also one that only the end of the reply completes.
    state.stop_string = state.reply->stop_string();
    if (!state.stop_string.empty()) state.stop_reason = StopReason::kStopString;
  }
  return piece;
}

GenerationPiece Generation::stop(StopReason reason) {
  KVASIR_CHECK(!is_done(), "a reply that goes on");
  GenerationPiece piece;
  state_->finish(reason, piece);
  return piece;
}

bool Generation::is_done() const { return state_->is_done(); }

std::optional<int32_t> Generation::wanted() const {
  if (is_done() || state_->tokens.empty()) return std::nullopt;
  return state_->tokens.back();
}

std::span<const int32_t> Generation::tokens() const { return state_->tokens; }
int64_t Generation::reasoning_token_count() const { return state_->reasoning_token_count; }

StopReason Generation::stop_reason() const {
  KVASIR_CHECK(is_done(), "a reply that has ended");
  return *state_->stop_reason;
}

const std::string& Generation::stop_string() const { return state_->stop_string; }

}  // namespace kvasir
