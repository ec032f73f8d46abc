#include "text/message_head.h"

#include <algorithm>
#include <utility>

namespace kvasir::text {
namespace {

constexpr std::string_view kBlanks = " \n\t\r";
constexpr std::string_view kTo = "to=";
// What is longer is no name.
constexpr size_t kStartBytesMax = 256;

std::string_view first_word(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_first_of(kBlanks));
}

}  // namespace

std::optional<ChannelMarkers> channel_markers(const Tokenizer& tokenizer) {
  ChannelMarkers markers;
  for (const auto& [marker, content] : {std::pair(&ChannelMarkers::start, "<|start|>"),
                                        {&ChannelMarkers::channel, "<|channel|>"},
                                        {&ChannelMarkers::message, "<|message|>"},
                                        {&ChannelMarkers::end, "<|end|>"},
                                        {&ChannelMarkers::constrain, "<|constrain|>"}}) {
    const std::optional<int32_t> id = tokenizer.added_token_id(content);
    if (!id) return std::nullopt;
    markers.*marker = *id;
  }
  return markers;
}

bool MessageHead::may_begin() const {
  if (text_.size() > kStartBytesMax) return false;
  const std::string_view text(text_);
  const std::string_view word = text.substr(std::min(text.find_first_not_of(kBlanks), text.size()));
  return word.starts_with(kTo) || kTo.starts_with(word);
}

std::string MessageHead::take() { return std::exchange(text_, {}); }

std::string_view MessageHead::channel() const {
  return channel_at_ ? first_word(std::string_view(text_).substr(*channel_at_)) : "";
}

std::string_view MessageHead::tool() const {
  constexpr std::string_view kOfRequest = "functions.";
  const size_t at = text_.find(kTo);
  if (at == text_.npos) return "";
  std::string_view tool = first_word(std::string_view(text_).substr(at + kTo.size()));
  if (tool.starts_with(kOfRequest)) tool.remove_prefix(kOfRequest.size());
  return tool;
}

}  // namespace kvasir::text
