#include "text/added_tokens.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "text/code_point_set.h"
#include "text/unicode_category.h"

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

// What a match takes along.
size_t white_space_before(std::string_view text, size_t end, size_t floor) {
  while (end > floor) {
    const size_t start = character_start_before(text, end);
    if (category_of(read_character(text, start).code_point) != Category::kSpace) break;
    end = start;
  }
  return end;
}

size_t white_space_behind(std::string_view text, size_t start) {
  while (start < text.size()) {
    const Utf8Character character = read_character(text, start);
    if (category_of(character.code_point) != Category::kSpace) break;
    start += character.size_bytes;
  }
  return start;
}

bool is_word(uint32_t code_point) {
  static const CodePointTable kWord(CodePointSet::word());
  return kWord.contains(code_point);
}

bool is_inside_a_word(std::string_view text, size_t start, size_t end) {
  const bool word_before =
      start > 0 && is_word(read_character(text, character_start_before(text, start)).code_point);
  return word_before || (end < text.size() && is_word(read_character(text, end).code_point));
}

}  // namespace

Result<AddedTokens> AddedTokens::build(std::vector<AddedToken> tokens, std::string_view where,
                                       const Normalizer& normalizer) {
  KVASIR_RETURN_IF_ERROR(check_each(tokens, where));
  std::sort(tokens.begin(), tokens.end(), by_content);
  const auto same_content = [](const auto& a, const auto& b) { return a.content == b.content; };
  if (const auto twice = std::adjacent_find(tokens.begin(), tokens.end(), same_content);
      twice != tokens.end()) {
    return bad_token(*twice, where, "an added token occurs twice");
  }
  AddedTokens added;
  for (const AddedToken& token : tokens) {
    AddedToken written = token;
    if (token.normalized) written.content = normalizer.apply(token.content, true);
    if (written.content.empty()) continue;
    auto& rounds = token.normalized ? added.normalized_ : added.raw_;
    rounds[static_cast<size_t>(SpecialTokens::kMatch)].tokens.push_back(written);
    if (!token.in_every_text) continue;
    rounds[static_cast<size_t>(SpecialTokens::kIgnore)].tokens.push_back(std::move(written));
  }
  for (Round* round :
       {&added.raw_[0], &added.raw_[1], &added.normalized_[0], &added.normalized_[1]}) {
    round->finish();
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
  std::vector<TextSegment> fine;
  for (const TextSegment& segment : split_raw(text, SpecialTokens::kMatch)) {
    if (segment.id == TextSegment::kPlain) {
      normalized_[static_cast<size_t>(SpecialTokens::kMatch)].split(segment.text, fine);
    } else {
      fine.push_back(segment);
    }
  }
  return fine;
}

std::vector<TextSegment> AddedTokens::split_raw(std::string_view text,
                                                SpecialTokens special) const {
  std::vector<TextSegment> segments;
  raw_[static_cast<size_t>(special)].split(text, segments);
  return segments;
}

std::vector<TextSegment> AddedTokens::split_normalized(std::string_view text,
                                                       SpecialTokens special) const {
  std::vector<TextSegment> segments;
  normalized_[static_cast<size_t>(special)].split(text, segments);
  return segments;
}

// Normalizing may have changed their order.
void AddedTokens::Round::finish() {
  std::sort(tokens.begin(), tokens.end(), by_content);
  for (const AddedToken& token : tokens) starts[byte_at(token.content, 0)] = true;
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
    size_t start = position;
    position += token->content.size();
    if (token->single_word && is_inside_a_word(text, start, position)) continue;
    if (token->strips_before) start = white_space_before(text, start, plain_start);
    if (token->strips_after) position = white_space_behind(text, position);
    end_plain(start);
    segments.push_back({text.substr(start, position - start), token->id});
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
    while (first != last && first->content.size() == depth + 1) longest = &*first++;
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
