#include "engine/reply_stream.h"

#include <iterator>
#include <utility>

namespace kvasir {
namespace {

// Returns what may be shown of the text that a matcher of markers held back to the end. A text may
// end with "<"; more than that is a marker that the end cut off.
std::string without_cut_marker(std::string held) {
  return held.size() > 1 ? std::string() : std::move(held);
}

}  // namespace

PlainReplyStream::PlainReplyStream(const text::Tokenizer& tokenizer,
                                   const std::vector<std::string>& stop_strings)
    : ReplyStream(stop_strings), decoder_(tokenizer, text::StreamDecoder::Start::kContinuation) {}

std::optional<StopReason> PlainReplyStream::push(int32_t id, GenerationPiece& piece) {
  piece.answer += stops_.push(decoder_.push(id));
  return stops_.matched() ? std::optional(StopReason::kStopString) : std::nullopt;
}

void PlainReplyStream::finish(GenerationPiece& piece) {
  piece.answer += stops_.push(decoder_.flush());
  piece.answer += stops_.flush();
}

ChatReplyStream::ChatReplyStream(const text::ReplyForm& form, bool starts_in_reasoning,
                                 const std::vector<std::string>& stop_strings,
                                 std::unique_ptr<text::CallReader> calls)
    : ReplyStream(stop_strings),
      reader_(form, starts_in_reasoning, std::move(calls)),
      reasoning_markers_(form.turn_markers),
      answer_markers_(form.turn_markers) {}

std::optional<StopReason> ChatReplyStream::push(int32_t id, GenerationPiece& piece) {
  show(reader_.push(id), piece);
  if (stops_.matched()) return StopReason::kStopString;
  const bool ended = reader_.ended() || reasoning_markers_.matched() || answer_markers_.matched();
  if (!ended) return std::nullopt;
  return has_calls() ? StopReason::kToolCalls : StopReason::kEndOfText;
}

void ChatReplyStream::finish(GenerationPiece& piece) {
  show(reader_.flush(), piece);
  piece.reasoning += without_cut_marker(reasoning_markers_.flush());
  end_answer(piece);
}

void ChatReplyStream::show(text::ReplyText text, GenerationPiece& piece) {
  piece.reasoning += reasoning_markers_.push(text.reasoning);
  if (!in_reasoning()) piece.reasoning += without_cut_marker(reasoning_markers_.flush());
  piece.answer += stops_.push(answer_markers_.push(text.answer));
  if (text.calls.empty()) return;
  end_answer(piece);
  if (stops_.matched() || answer_markers_.matched()) return;
  piece.calls.insert(piece.calls.end(), std::make_move_iterator(text.calls.begin()),
                     std::make_move_iterator(text.calls.end()));
}

void ChatReplyStream::end_answer(GenerationPiece& piece) {
  piece.answer += stops_.push(without_cut_marker(answer_markers_.flush()));
  piece.answer += stops_.flush();
}

}  // namespace kvasir
