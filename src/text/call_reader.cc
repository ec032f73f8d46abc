#include "text/call_reader.h"

#include <utility>

#include "base/check.h"
#include "text/channel_call_reader.h"
#include "text/deepseek_call_reader.h"
#include "text/json_call_reader.h"

namespace kvasir::text {

void CallPieces::begin(std::string name) {
  KVASIR_CHECK(!is_open_, "a call ends before the next one begins");
  is_open_ = true;
  pieces_.push_back({.index = count_++, .name = std::move(name)});
}

void CallPieces::add(std::string_view arguments) {
  KVASIR_CHECK(is_open_, "arguments belong to a call");
  if (arguments.empty()) return;
  const int64_t index = count_ - 1;
  const bool goes_on = !pieces_.empty() && pieces_.back().index == index &&
                       pieces_.back().name.empty() && !pieces_.back().is_over;
  if (!goes_on) pieces_.push_back({.index = index});
  pieces_.back().arguments += arguments;
}

void CallPieces::end() {
  KVASIR_CHECK(is_open_, "what ends has begun");
  is_open_ = false;
  pieces_.push_back({.index = count_ - 1, .is_over = true});
}

std::vector<CallPiece> CallPieces::take() { return std::exchange(pieces_, {}); }

ReplyText CallReader::push(const ReplyText& said, bool is_marker) {
  if (!is_over()) read(said, is_marker);
  out_.calls = calls_.take();
  return std::exchange(out_, {});
}

ReplyText CallReader::flush() {
  if (!is_over()) release();
  out_.calls = calls_.take();
  return std::exchange(out_, {});
}

std::unique_ptr<CallReader> make_call_reader(const ReplyForm& form, int64_t calls_max) {
  switch (form.calls) {
    case CallForm::kNone:
      return nullptr;
    case CallForm::kDeepSeek:
    case CallForm::kDeepSeek41:
      return std::make_unique<DeepSeekCallReader>(calls_max);
    case CallForm::kTagged:
    case CallForm::kBare:
    case CallForm::kListed:
    case CallForm::kNamed:
      return std::make_unique<JsonCallReader>(form.calls, calls_max);
    case CallForm::kChannels:
      return std::make_unique<ChannelCallReader>(calls_max);
  }
  KVASIR_CHECK(false, "a known form");
}

}  // namespace kvasir::text
