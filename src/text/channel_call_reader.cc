#include "text/channel_call_reader.h"

namespace kvasir::text {

void ChannelCallReader::read(const ReplyText& said, bool /*is_marker*/) {
  if (!in_calls_) {
    out_.reasoning += said.reasoning;
    out_.answer += said.answer;
  }
  if (!said.tool.empty()) begin(said.tool);
  for (const char c : said.tool_text) read_arguments(c);
}

void ChannelCallReader::begin(const std::string& name) {
  // The one before has no end where another message begins.
  if (calls_.is_open()) {
    if (!has_brace_) calls_.add("{}");
    calls_.end();
  }
  call_.reset();
  if (is_over()) return;
  in_calls_ = true;
  has_brace_ = false;
  call_.emplace(calls_).begin_arguments_of(name);
}

void ChannelCallReader::read_arguments(char c) {
  has_brace_ = has_brace_ || c == '{';
  if (!call_ || !has_brace_) return;
  if (call_->push(c) != JsonCall::State::kOpen) call_.reset();
}

}  // namespace kvasir::text
