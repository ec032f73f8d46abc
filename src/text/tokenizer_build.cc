#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/byte_alphabet.h"
#include "text/tokenizer.h"

// Tokenizer::build: what a tokenizer file says, checked as a whole and made into tables.
namespace kvasir::text {
namespace {

using IdByText = std::unordered_map<std::string_view, int32_t>;

Result<IdByText> index_texts(const std::vector<BaseToken>& tokens, const std::string& where) {
  IdByText ids;
  ids.reserve(tokens.size());
  for (const BaseToken& token : tokens) {
    if (ids.emplace(token.text, token.id).second) continue;
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "a token occurs twice",
                 .where = where,
                 .found = token.text};
  }
  return ids;
}

Result<std::array<int32_t, 256>> find_byte_ids(const IdByText& ids, const std::string& where) {
  std::array<int32_t, 256> byte_ids{};
  for (size_t byte = 0; byte < byte_ids.size(); ++byte) {
    const std::string text = alphabet_character(static_cast<uint8_t>(byte));
    const auto found = ids.find(text);
    if (found == ids.end()) {
      return Error{.kind = ErrorKind::kDamaged,
                   .what = "the vocabulary lacks a byte",
                   .where = where,
                   .expected = "a token \"" + text + "\" for byte " + std::to_string(byte)};
    }
    byte_ids[byte] = found->second;
  }
  return byte_ids;
}

Error unknown_merge(const std::string& left, const std::string& right, const std::string& where) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "a merge names a token that the vocabulary lacks",
               .where = where,
               .found = "\"" + left + "\" + \"" + right + "\""};
}

Result<std::vector<BpeMerge>> resolve_merges(const TokenizerData& data, const IdByText& ids,
                                             const std::string& where) {
  std::vector<BpeMerge> merges;
  merges.reserve(data.merges.size());
  std::vector<uint64_t> pairs;
  std::string joined;
  for (const auto& [left_text, right_text] : data.merges) {
    joined.assign(left_text).append(right_text);
    const auto left = ids.find(left_text);
    const auto right = ids.find(right_text);
    const auto result = ids.find(joined);
    if (left == ids.end() || right == ids.end() || result == ids.end()) {
      return unknown_merge(left_text, right_text, where);
    }
    merges.push_back({left->second, right->second, result->second});
    pairs.push_back(uint64_t{static_cast<uint32_t>(left->second)} << 32 |
                    static_cast<uint32_t>(right->second));
  }
  std::sort(pairs.begin(), pairs.end());
  if (std::adjacent_find(pairs.begin(), pairs.end()) != pairs.end()) {
    return Error{.kind = ErrorKind::kDamaged, .what = "a merge occurs twice", .where = where};
  }
  return merges;
}

Status check_id(int64_t id, std::string_view text, const std::string& where) {
  if (id >= 0 && id < kTokenIdsMax) return ok_status();
  return Error{.kind = ErrorKind::kDamaged,
               .what = "a token id is out of bounds",
               .where = where,
               .expected = "0 to " + std::to_string(kTokenIdsMax - 1),
               .found = std::to_string(id) + " for \"" + std::string(text) + "\""};
}

// The model would know such a token under two ids.
Status check_added(const std::vector<AddedToken>& added, const IdByText& ids,
                   const std::string& where) {
  for (const AddedToken& token : added) {
    const auto base = ids.find(token.content);
    if (base == ids.end() || base->second == token.id) continue;
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "an added token has another id in the vocabulary",
                 .where = where,
                 .expected = std::to_string(token.id) + " for \"" + token.content + "\"",
                 .found = std::to_string(base->second)};
  }
  return ok_status();
}

// SpecialTokens::kIgnore promises that no text spells a marker: merging must not lead to one
// either.
Status check_forgery(const AddedTokens& added, const std::array<int32_t, 256>& byte_ids,
                     const std::vector<BpeMerge>& merges, const std::string& where) {
  const auto check = [&](int32_t id) -> Status {
    const AddedToken* token = added.find_id(id);
    if (token == nullptr) return ok_status();
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "plain text can become an added token",
                 .where = where,
                 .found = std::to_string(id) + " \"" + token->content + "\""};
  };
  for (const int32_t id : byte_ids) KVASIR_RETURN_IF_ERROR(check(id));
  for (const BpeMerge& merge : merges) KVASIR_RETURN_IF_ERROR(check(merge.result));
  return ok_status();
}

}  // namespace

Result<Tokenizer> Tokenizer::build(const TokenizerData& data, std::string_view where) {
  const std::string vocab_where = std::string(where) + ": vocab";
  const std::string merges_where = std::string(where) + ": merges";
  Tokenizer tokenizer;
  KVASIR_ASSIGN_OR_RETURN(tokenizer.added_, AddedTokens::build(data.added, where));
  KVASIR_RETURN_IF_ERROR(tokenizer.set_token_bytes(data, vocab_where));
  KVASIR_ASSIGN_OR_RETURN(const IdByText ids, index_texts(data.tokens, vocab_where));
  KVASIR_RETURN_IF_ERROR(check_added(data.added, ids, vocab_where));
  KVASIR_ASSIGN_OR_RETURN(const auto byte_ids, find_byte_ids(ids, vocab_where));
  KVASIR_ASSIGN_OR_RETURN(const auto merges, resolve_merges(data, ids, merges_where));
  KVASIR_RETURN_IF_ERROR(check_forgery(tokenizer.added_, byte_ids, merges, merges_where));
  tokenizer.bpe_ = Bpe(byte_ids, merges);
  return tokenizer;
}

// An added token may also be in the vocabulary, as the same bytes under the same id.
Status Tokenizer::set_token_bytes(const TokenizerData& data, const std::string& where) {
  std::vector<std::optional<std::string>> bytes_of_id;
  const auto place = [&](int32_t id, const std::string& text, std::string bytes) -> Status {
    KVASIR_RETURN_IF_ERROR(check_id(id, text, where));
    const auto index = static_cast<size_t>(id);
    if (index >= bytes_of_id.size()) bytes_of_id.resize(index + 1);
    if (bytes_of_id[index] && (*bytes_of_id[index] != bytes || added_.find_id(id) == nullptr)) {
      return Error{.kind = ErrorKind::kDamaged,
                   .what = "two tokens have one id",
                   .where = where,
                   .found = std::to_string(id) + " for \"" + text + "\""};
    }
    bytes_of_id[index] = std::move(bytes);
    return ok_status();
  };
  for (const BaseToken& token : data.tokens) {
    KVASIR_RETURN_IF_ERROR(place(token.id, token.text, bytes_of_token_text(token.text)));
  }
  for (const AddedToken& token : data.added) {
    KVASIR_RETURN_IF_ERROR(place(token.id, token.content, token.content));
  }
  offsets_.reserve(bytes_of_id.size() + 1);
  for (const auto& bytes : bytes_of_id) {
    if (bytes) bytes_ += *bytes;
    offsets_.push_back(static_cast<uint32_t>(bytes_.size()));
  }
  return ok_status();
}

}  // namespace kvasir::text
