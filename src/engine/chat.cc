#include "kvasir/chat.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/stopwatch.h"
#include "engine/engine_state.h"
#include "engine/reply_stream.h"
#include "engine/token_loop.h"
#include "text/chat.h"
#include "text/template_transcript.h"

namespace kvasir {

namespace {

// The form of a model's conversations: its own template's, or else that of its markers.
struct ChatForm {
  std::unique_ptr<text::Transcript> transcript;
  text::ReplyForm reply;
};

Result<ChatForm> chat_form(Engine& engine, const ChatOptions& options) {
  const Engine::State& state = engine.state();
  KVASIR_ASSIGN_OR_RETURN(const text::Tokenizer* tokenizer, state.require_tokenizer());
  if (state.chat_template) {
    return ChatForm{std::make_unique<text::TemplateTranscript>(*state.chat_template, *tokenizer,
                                                               options.system),
                    text::template_reply_form(*tokenizer)};
  }
  KVASIR_ASSIGN_OR_RETURN(const text::ChatFormat format, text::ChatFormat::create(*tokenizer));
  return ChatForm{std::make_unique<text::ChatTranscript>(format, options.system),
                  format.reply_form()};
}

text::ChatMode chat_mode(const ChatOptions& options) {
  return options.thinking ? text::ChatMode::kThinking : text::ChatMode::kDirect;
}

}  // namespace

struct Chat::State {
  State(Engine& used, ChatForm made, const ChatOptions& options)
      : engine(used),
        mode(chat_mode(options)),
        transcript(std::move(made.transcript)),
        reply_form(std::move(made.reply)) {}

  // Makes `session` hold the longest prefix of the transcript that is at hand, in memory or in the
  // store; returns its length.
  Result<int64_t> reuse();
  // Appends the rest of the transcript. Fewer tokens than asked for: interrupted.
  Result<int64_t> prefill(const Progress& progress);
  Result<TokenLoopResult> answer(const GenerateOptions& options, const ChatSink& on_text,
                                 ChatTurn& turn);

  Engine& engine;
  text::ChatMode mode;
  std::unique_ptr<text::Transcript> transcript;
  text::ReplyForm reply_form;
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
  KVASIR_ASSIGN_OR_RETURN(const ChatForm form, chat_form(engine, options));
  KVASIR_RETURN_IF_ERROR(form.transcript->add_user(user_text, chat_mode(options)));
  const auto ids = form.transcript->ids();
  return std::vector<int32_t>(ids.begin(), ids.end());
}

Chat::Chat(std::unique_ptr<State> state) : state_(std::move(state)) {}
Chat::Chat(Chat&&) noexcept = default;
Chat& Chat::operator=(Chat&&) noexcept = default;
Chat::~Chat() = default;

Result<Chat> Chat::create(Engine& engine, const ChatOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(ChatForm form, chat_form(engine, options));
  return Chat(std::make_unique<State>(engine, std::move(form), options));
}

Result<int64_t> Chat::State::reuse() {
  const auto ids = transcript->ids();
  if (!is_prefix(session, ids) && is_prefix(before_reply, ids)) {
    session = std::move(before_reply);
    before_reply.reset();
  }
  const int64_t live_tokens = is_prefix(session, ids) ? session->length() : -1;
  if (engine.state().resumable_tokens(ids) > live_tokens) {
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

Result<TokenLoopResult> Chat::State::answer(const GenerateOptions& options, const ChatSink& on_text,
                                            ChatTurn& turn) {
  ReplyStream reply(reply_form, transcript->starts_in_reasoning(), options.stop_strings,
                    [&](std::string_view piece, bool is_reasoning) {
                      (is_reasoning ? turn.reasoning : turn.answer) += piece;
                      if (on_text) on_text(piece, is_reasoning);
                    });
  // A marker ends a reply, whatever the config calls the end of a text.
  const auto on_token = [&](int32_t id, StopReason& reason) {
    const std::optional<StopReason> end = reply.push(id);
    reason = end.value_or(reason);
    return end.has_value();
  };
  KVASIR_ASSIGN_OR_RETURN(TokenLoopResult loop,
                          run_token_loop(engine, *session, options, on_token));
  reply.finish();
  return loop;
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
  KVASIR_ASSIGN_OR_RETURN(TokenLoopResult loop, state.answer(options, on_text, turn));
  for (const int32_t id : loop.tokens) state.transcript->add_sampled(id);
  turn.generated_tokens = std::ssize(loop.tokens);
  turn.ttft_ms = turn.prefill_ms + loop.first_token_ms;
  turn.decode_ms = loop.decode_ms;
  turn.stop_reason = loop.stop_reason;
  return turn;
}

}  // namespace kvasir
