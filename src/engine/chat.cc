#include "kvasir/chat.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/stopwatch.h"
#include "engine/engine_state.h"
#include "engine/generation_loop.h"
#include "text/chat.h"
#include "text/template_transcript.h"

namespace kvasir {

namespace {

// In the form of the model's conversations: its own template's, or else that of its markers.
Result<std::unique_ptr<text::Transcript>> make_transcript(Engine& engine,
                                                          const ChatOptions& options) {
  const Engine::State& state = engine.state();
  KVASIR_ASSIGN_OR_RETURN(const text::Tokenizer* tokenizer, state.require_tokenizer());
  std::unique_ptr<text::Transcript> made;
  if (state.chat_template) {
    made = std::make_unique<text::TemplateTranscript>(*state.chat_template, *tokenizer,
                                                      options.system);
  } else {
    KVASIR_ASSIGN_OR_RETURN(const text::ChatFormat format, text::ChatFormat::create(*tokenizer));
    made = std::make_unique<text::ChatTranscript>(format, options.system);
  }
  return made;
}

text::ChatMode chat_mode(const ChatOptions& options) {
  return options.thinking ? text::ChatMode::kThinking : text::ChatMode::kDirect;
}

}  // namespace

struct Chat::State {
  State(Engine& used, std::unique_ptr<text::Transcript> made, const ChatOptions& options)
      : engine(used), mode(chat_mode(options)), transcript(std::move(made)) {}

  // Makes `session` hold the longest prefix of the transcript that is at hand, in memory or in the
  // store; returns its length.
  Result<int64_t> reuse();
  // Appends the rest of the transcript. Fewer tokens than asked for: interrupted.
  Result<int64_t> prefill(const Progress& progress);
  // Adds a reply to the transcript and to the turn.
  Status answer(const GenerateOptions& options, const ChatSink& on_text, ChatTurn& turn);

  Engine& engine;
  text::ChatMode mode;
  std::unique_ptr<text::Transcript> transcript;
  std::optional<Session> session;
  // The session just before the newest reply was opened. When the next message takes the reply's
  // reasoning out of the conversation, the cache is good up to here.
  std::optional<Session> before_reply;
};

namespace {

bool is_prefix(const std::optional<Session>& session, std::span<const int32_t> ids) {
  // A session that holds all the ids has no room to compute the logits the next token needs.
  return session && session->length() < std::ssize(ids) &&
         std::equal(session->tokens().begin(), session->tokens().end(), ids.begin());
}

}  // namespace

Result<std::vector<int32_t>> encode_chat_prompt(Engine& engine, const ChatOptions& options,
                                                std::string_view user_text) {
  KVASIR_ASSIGN_OR_RETURN(const auto transcript, make_transcript(engine, options));
  KVASIR_RETURN_IF_ERROR(transcript->add_user(user_text, chat_mode(options)));
  const auto ids = transcript->ids();
  return std::vector<int32_t>(ids.begin(), ids.end());
}

Chat::Chat(std::unique_ptr<State> state) : state_(std::move(state)) {}
Chat::Chat(Chat&&) noexcept = default;
Chat& Chat::operator=(Chat&&) noexcept = default;
Chat::~Chat() = default;

Result<Chat> Chat::create(Engine& engine, const ChatOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(auto transcript, make_transcript(engine, options));
  return Chat(std::make_unique<State>(engine, std::move(transcript), options));
}

Result<int64_t> Chat::State::reuse() {
  const auto ids = transcript->ids();
  if (!is_prefix(session, ids) && is_prefix(before_reply, ids)) {
    session = std::move(before_reply);
    before_reply.reset();
  }
  const int64_t live_tokens = is_prefix(session, ids) ? session->length() : -1;
  if (engine.resumable_tokens(ids) > live_tokens) {
    KVASIR_ASSIGN_OR_RETURN(Session stored, engine.resume(ids));
    // Damage that only reading finds may have made it the shorter one.
    if (stored.length() > live_tokens) {
      session = std::move(stored);
      before_reply.reset();
    }
  }
  KVASIR_CHECK(is_prefix(session, ids), "a session that the transcript continues");
  return session->length();
}

Result<int64_t> Chat::State::prefill(const Progress& progress) {
  const auto rest = transcript->ids().subspan(static_cast<size_t>(session->length()));
  if (!transcript->drops_reasoning()) return session->append(rest, progress);
  // The last id opens the reply; the cache before it outlives the reasoning.
  int64_t appended = 0;
  if (rest.size() > 1) {
    KVASIR_ASSIGN_OR_RETURN(appended, session->append(rest.first(rest.size() - 1), progress));
    if (appended < std::ssize(rest) - 1) return appended;
  }
  KVASIR_ASSIGN_OR_RETURN(before_reply, session->fork());
  KVASIR_RETURN_IF_ERROR(session->append(rest.last(1)));
  return appended + 1;
}

Status Chat::State::answer(const GenerateOptions& options, const ChatSink& on_text,
                           ChatTurn& turn) {
  const auto kind = transcript->starts_in_reasoning() ? ReplyKind::kReasoning : ReplyKind::kAnswer;
  KVASIR_ASSIGN_OR_RETURN(Generation generation, Generation::create(engine, options, kind));
  const auto emit = [&](const std::string& text, bool is_reasoning) {
    (is_reasoning ? turn.reasoning : turn.answer) += text;
    if (on_text && !text.empty()) on_text(text, is_reasoning);
  };
  const auto on_piece = [&](const GenerationPiece& piece) {
    emit(piece.reasoning, true);
    emit(piece.answer, false);
  };
  KVASIR_ASSIGN_OR_RETURN(const GenerationTimes times,
                          run_generation(*session, generation, options.interrupted, on_piece));
  for (const int32_t id : generation.tokens()) transcript->add_sampled(id);
  turn.generated_tokens = std::ssize(generation.tokens());
  turn.ttft_ms = turn.prefill_ms + times.first_token_ms;
  turn.decode_ms = times.decode_ms;
  turn.stop_reason = generation.stop_reason();
  return ok_status();
}

Result<ChatTurn> Chat::turn(std::string_view user_text, const GenerateOptions& options,
                            const ChatSink& on_text, const Progress& progress) {
  const Stopwatch watch;
  ChatTurn turn;
  State& state = *state_;
  KVASIR_RETURN_IF_ERROR(state.transcript->add_user(user_text, state.mode));
  turn.prompt_tokens = std::ssize(state.transcript->ids());
  KVASIR_ASSIGN_OR_RETURN(turn.reused_tokens, state.reuse());
  KVASIR_ASSIGN_OR_RETURN(turn.computed_tokens, state.prefill(progress));
  turn.prefill_ms = watch.elapsed_ms();
  if (turn.reused_tokens + turn.computed_tokens < turn.prompt_tokens) {
    turn.stop_reason = StopReason::kInterrupted;
    return turn;
  }
  KVASIR_RETURN_IF_ERROR(state.answer(options, on_text, turn));
  return turn;
}

}  // namespace kvasir
