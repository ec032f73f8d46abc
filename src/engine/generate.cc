#include "kvasir/generate.h"

#include "base/check.h"
#include "engine/engine_state.h"
#include "engine/stop_matcher.h"
#include "engine/token_loop.h"
#include "text/stream_decoder.h"

namespace kvasir {

const char* name_of(StopReason reason) {
  switch (reason) {
    case StopReason::kEndOfText:
      return "end_of_text";
    case StopReason::kStopString:
      return "stop_string";
    case StopReason::kTokenLimit:
      return "token_limit";
    case StopReason::kInterrupted:
      return "interrupted";
  }
  KVASIR_CHECK(false, "a known reason");
}

Result<Generated> generate(Engine& engine, Session& session, const GenerateOptions& options,
                           const TextSink& on_text) {
  KVASIR_ASSIGN_OR_RETURN(const text::Tokenizer* tokenizer, engine.state().require_tokenizer());
  text::StreamDecoder decoder(*tokenizer, text::StreamDecoder::Start::kContinuation);
  StopMatcher matcher(options.stop_strings);
  Generated generated;
  const auto emit = [&](const std::string& piece) {
    generated.text += piece;
    if (on_text && !piece.empty()) on_text(piece);
  };
  KVASIR_ASSIGN_OR_RETURN(
      TokenLoopResult loop,
      run_token_loop(engine, session, options, [&](int32_t id, StopReason& reason) {
        emit(matcher.push(decoder.push(id)));
        if (matcher.matched()) reason = StopReason::kStopString;
        return matcher.matched();
      }));
  emit(matcher.push(decoder.flush()));
  emit(matcher.flush());
  generated.tokens = std::move(loop.tokens);
  generated.stop_reason = loop.stop_reason;
  generated.first_token_ms = loop.first_token_ms;
  generated.decode_ms = loop.decode_ms;
  return generated;
}

}  // namespace kvasir
