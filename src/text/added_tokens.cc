#include "text/added_tokens.h"

#include <algorithm>
#include <string>
#include <utility>

namespace kvasir::text {
namespace {

uint8_t byte_at(std::string_view text, size_t position) {
  return static_cast<uint8_t>(text[position]);
}

bool by_content(const AddedToken& a, const AddedToken& b) { return a.content < b.content; }
bool by_id(const AddedToken& a, const AddedToken& b) { return a.id < b.id; }

Error bad_token(const AddedToken& token, std::string_view where, std::string what) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = std::move(what),
               .where = std::string(where) + ": added_tokens",
               .found = "id " + std::to_string(token.id) + " \"" + token.content + "\""};
}

Status check_each(const std::vector<AddedToken>& tokens, std::string_view where) {
  for (const AddedToken& token : tokens) {
    if (token.content.empty()) return bad_token(token, where, "an added token has no content");
    if (token.content.size() > AddedTokens::kContentBytesMax) {
      return bad_token(token, where, "an added token is too long");
    }
  }
  return ok_status();
}

}  // namespace

Result<AddedTokens> AddedTokens::build(std::vector<AddedToken> tokens, std::string_view where) {
  KVASIR_RETURN_IF_ERROR(check_each(tokens, where));
  std::sort(tokens.begin(), tokens.end(), by_content);
  const auto same_content = [](const auto& a, const auto& b) { return a.content == b.content; };
  if (const auto twice = std::adjacent_find(tokens.begin(), tokens.end(), same_content);
      twice != tokens.end()) {
    return bad_token(*twice, where, "an added token occurs twice");
  }
  AddedTokens added;
  for (const AddedToken& token : tokens) {
    Round& round = added.rounds_[token.normalized ? 1 : 0];
    round.starts[byte_at(token.content, 0)] = true;
    round.tokens.push_back(token);
  }
  std::sort(tokens.begin(), tokens.end(), by_id);
  const auto same_id = [](const auto& a, const auto& b) { return a.id == b.id; };
  if (const auto twice = std::adjacent_find(tokens.begin(), tokens.end(), same_id);
      twice != tokens.end()) {
    return bad_token(*twice, where, "two added tokens have one id");
  }
  added.by_id_ = std::move(tokens);
  return added;
}

std::vector<TextSegment> AddedTokens::split(std::string_view text) const {
  std::vector<TextSegment> coarse;
  rounds_[0].split(text, coarse);
  std::vector<TextSegment> fine;
  for (const TextSegment& segment : coarse) {
    if (segment.id == TextSegment::kPlain) {
      rounds_[1].split(segment.text, fine);
    } else {
      fine.push_back(segment);
    }
  }
  return fine;
}

void AddedTokens::Round::split(std::string_view text, std::vector<TextSegment>& segments) const {
  size_t plain_start = 0;
  const auto end_plain = [&](size_t end) {
    if (end > plain_start) segments.push_back({text.substr(plain_start, end - plain_start)});
  };
  for (size_t position = 0; position < text.size();) {
    const AddedToken* token = longest_at(text, position);
    if (token == nullptr) {
      ++position;
      continue;
    }
    end_plain(position);
    segments.push_back({text.substr(position, token->content.size()), token->id});
    position += token->content.size();
    plain_start = position;
  }
  end_plain(text.size());
}

// Narrows the sorted contents byte by byte to those that the text begins with; of those that share
// a beginning, the shortest comes first.
const AddedToken* AddedTokens::Round::longest_at(std::string_view text, size_t position) const {
  if (!starts[byte_at(text, position)]) return nullptr;
  const AddedToken* longest = nullptr;
  auto first = tokens.begin();
  auto last = tokens.end();
  for (size_t depth = 0; first != last && position + depth < text.size(); ++depth) {
    const uint8_t byte = byte_at(text, position + depth);
    first = std::partition_point(
        first, last, [&](const AddedToken& token) { return byte_at(token.content, depth) < byte; });
    last = std::partition_point(first, last, [&](const AddedToken& token) {
      return byte_at(token.content, depth) == byte;
    });
    if (first != last && first->content.size() == depth + 1) longest = &*first++;
  }
  return longest;
}

const AddedToken* AddedTokens::find_id(int32_t id) const {
  const auto at = std::lower_bound(by_id_.begin(), by_id_.end(), AddedToken{.id = id}, by_id);
  return at != by_id_.end() && at->id == id ? &*at : nullptr;
}

const AddedToken* AddedTokens::find_content(std::string_view content) const {
  for (const AddedToken& token : by_id_) {
    if (token.content == content) return &token;
  }
  return nullptr;
}

}  // namespace kvasir::text
