#include "server/dialects/reply_parts.h"

#include <utility>

#include "base/check.h"

namespace kvasir::server {

ReplyPart& ReplyParts::part(ReplyPart::Kind kind) {
  if (!ends_with(kind)) parts_.push_back({.kind = kind});
  return parts_.back();
}

ReplyPart& ReplyParts::add(const CallPiece& piece) {
  if (begins_with(piece)) {
    parts_.push_back(
        {.kind = ReplyPart::Kind::kCall, .name = piece.name, .call_index = call_count_++});
  }
  KVASIR_CHECK(ends_with(ReplyPart::Kind::kCall), "pieces of a call follow each other");
  ReplyPart& part = parts_.back();
  part.text += piece.arguments;
  part.is_over = piece.is_over;
  return part;
}

void ReplyParts::end() {
  if (!ends_with(ReplyPart::Kind::kCall)) part(ReplyPart::Kind::kAnswer);
}

std::string PartStream::add(ReplyPart::Kind kind, const std::string& text, Json::Array logprobs) {
  std::string out = switch_to(kind);
  ReplyPart& part = parts_.part(kind);
  part.text += text;
  part.logprobs.insert(part.logprobs.end(), logprobs.begin(), logprobs.end());
  return out + delta(part, parts_.all().size() - 1, text, std::move(logprobs));
}

std::string PartStream::add(const CallPiece& piece) {
  const bool begins = parts_.begins_with(piece);
  std::string out = begins ? close_last() : std::string();
  const ReplyPart& part = parts_.add(piece);
  const size_t index = parts_.all().size() - 1;
  if (begins) out += open(part, index);
  if (!piece.arguments.empty()) out += delta(part, index, piece.arguments, {});
  return part.is_over ? out + close(part, index) : out;
}

std::string PartStream::end() {
  std::string out;
  if (!parts_.ends_with(ReplyPart::Kind::kCall)) out = switch_to(ReplyPart::Kind::kAnswer);
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
  // A call is closed as soon as it is over: clients begin to work on it.
  if (all.empty() || all.back().is_over) return {};
  return close(all.back(), all.size() - 1);
}

}  // namespace kvasir::server
