#include "server/dialects/reply_parts.h"

#include <utility>

namespace kvasir::server {

ReplyPart& ReplyParts::part(ReplyPart::Kind kind) {
  if (!ends_with(kind)) parts_.push_back({.kind = kind});
  return parts_.back();
}

std::string PartStream::add(ReplyPart::Kind kind, const std::string& text, Json::Array logprobs) {
  std::string out = switch_to(kind);
  ReplyPart& part = parts_.part(kind);
  part.text += text;
  part.logprobs.insert(part.logprobs.end(), logprobs.begin(), logprobs.end());
  return out + delta(part, parts_.all().size() - 1, text, std::move(logprobs));
}

std::string PartStream::end() {
  std::string out = switch_to(ReplyPart::Kind::kAnswer);
  return out + close_last();
}

std::string PartStream::switch_to(ReplyPart::Kind kind) {
  if (parts_.ends_with(kind)) return {};
  std::string out = close_last();
  const ReplyPart& part = parts_.part(kind);
  return out + open(part, parts_.all().size() - 1);
}

std::string PartStream::close_last() {
  const std::vector<ReplyPart>& all = parts_.all();
  return all.empty() ? std::string() : close(all.back(), all.size() - 1);
}

}  // namespace kvasir::server
