#include "text/vocabulary.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <utility>

#include "base/utf8.h"
#include "text/byte_alphabet.h"

namespace kvasir::text {
namespace {

constexpr size_t kByteTokenSize = 6;  // "<0x0A>"

std::string byte_token_text(TokenAlphabet alphabet, size_t byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (alphabet == TokenAlphabet::kBytes) return alphabet_character(static_cast<uint8_t>(byte));
  return std::string("<0x") + kDigits[byte >> 4] + kDigits[byte & 15] + '>';
}

Error unknown_merge(const std::string& left, const std::string& right, const std::string& where) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "a merge names a token that the vocabulary lacks",
               .where = where,
               .found = "\"" + left + "\" + \"" + right + "\""};
}

uint64_t pair_of(const BpeMerge& merge) {
  return uint64_t{static_cast<uint32_t>(merge.left)} << 32 | static_cast<uint32_t>(merge.right);
}

Status check_pairs(const std::vector<BpeMerge>& merges, const std::string& where) {
  std::vector<uint64_t> pairs(merges.size());
  std::transform(merges.begin(), merges.end(), pairs.begin(), pair_of);
  std::sort(pairs.begin(), pairs.end());
  if (std::adjacent_find(pairs.begin(), pairs.end()) == pairs.end()) return ok_status();
  return Error{.kind = ErrorKind::kDamaged, .what = "a merge occurs twice", .where = where};
}

}  // namespace

std::optional<uint8_t> byte_of_token_text(std::string_view text) {
  if (text.size() != kByteTokenSize || !text.starts_with("<0x") || text.back() != '>') return {};
  uint8_t byte = 0;
  const char* last = text.data() + kByteTokenSize - 1;
  const auto [end, failure] = std::from_chars(text.data() + 3, last, byte, 16);
  if (failure != std::errc() || end != last) return std::nullopt;
  return byte;
}

std::string token_bytes_of(TokenAlphabet alphabet, std::string_view text) {
  if (alphabet == TokenAlphabet::kBytes) return bytes_of_token_text(text);
  if (const std::optional<uint8_t> byte = byte_of_token_text(text)) {
    return std::string(1, static_cast<char>(*byte));
  }
  std::string bytes(text);
  for (size_t at = bytes.find(kBlankSign); at != std::string::npos; at = bytes.find(kBlankSign)) {
    bytes.replace(at, kBlankSign.size(), " ");
  }
  return bytes;
}

Result<Vocabulary> Vocabulary::make(const TokenizerData& data, std::string_view where) {
  Vocabulary vocabulary(data, where);
  vocabulary.ids_.reserve(data.tokens.size());
  for (const BaseToken& token : data.tokens) {
    if (vocabulary.ids_.emplace(token.text, token.id).second || !token.is_text) continue;
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "a token occurs twice",
                 .where = vocabulary.where_ + ": vocab",
                 .found = token.text};
  }
  return vocabulary;
}

std::optional<int32_t> Vocabulary::find(std::string_view text) const {
  const auto found = ids_.find(text);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

Result<std::array<int32_t, 256>> Vocabulary::byte_ids() const {
  std::array<int32_t, 256> byte_ids{};
  for (size_t byte = 0; byte < byte_ids.size(); ++byte) {
    const std::string text = byte_token_text(data_->alphabet, byte);
    const std::optional<int32_t> id = find(text);
    const bool is_visible = byte >= ' ' && byte <= '~';
    if (!id && is_visible) {
      return Error{.kind = ErrorKind::kDamaged,
                   .what = "the vocabulary lacks a byte",
                   .where = where_ + ": vocab",
                   .expected = "a token \"" + text + "\" for byte " + std::to_string(byte)};
    }
    byte_ids[byte] = id.value_or(Bpe::kNoToken);
  }
  return byte_ids;
}

std::unordered_map<uint32_t, int32_t> Vocabulary::character_ids(const AddedTokens& added) const {
  std::unordered_map<uint32_t, int32_t> ids;
  if (data_->alphabet == TokenAlphabet::kBytes) return ids;
  for (const BaseToken& token : data_->tokens) {
    if (token.text.empty() || !token.is_text) continue;
    const Utf8Character character = read_character(token.text, 0);
    const bool is_one =
        character.size_bytes == token.text.size() && character.code_point != kInvalidByte;
    if (is_one && !is_out_of_reach(token.id, token.text, added)) {
      ids.emplace(character.code_point, token.id);
    }
  }
  return ids;
}

// What merging never gives in the alphabet of characters: markers and bytes.
bool Vocabulary::is_out_of_reach(int32_t id, std::string_view text,
                                 const AddedTokens& added) const {
  const AddedToken* token = added.find_id(id);
  return (token != nullptr && !token->in_every_text) || byte_of_token_text(text).has_value();
}

Result<std::vector<BpeMerge>> Vocabulary::merges(const AddedTokens& added) const {
  KVASIR_RETURN_IF_ERROR(check_bytes(added));
  if (!data_->scores.empty()) return scored_merges(added);
  KVASIR_ASSIGN_OR_RETURN(std::vector<BpeMerge> merges, listed_merges(added));
  KVASIR_RETURN_IF_ERROR(check_pairs(merges, where_ + ": merges"));
  if (data_->alphabet == TokenAlphabet::kBytes) {
    for (const BpeMerge& merge : merges) {
      KVASIR_RETURN_IF_ERROR(check_forgery(merge.result, added));
    }
  }
  return merges;
}

Result<std::vector<BpeMerge>> Vocabulary::listed_merges(const AddedTokens& added) const {
  const bool leaves_out = data_->alphabet == TokenAlphabet::kCharacters;
  std::vector<BpeMerge> merges;
  merges.reserve(data_->merges.size());
  std::string joined;
  for (const auto& [left_text, right_text] : data_->merges) {
    joined.assign(left_text).append(right_text);
    const std::optional<int32_t> left = find(left_text);
    const std::optional<int32_t> right = find(right_text);
    const std::optional<int32_t> result = find(joined);
    if (!left || !right || !result) {
      return unknown_merge(left_text, right_text, where_ + ": merges");
    }
    if (leaves_out && is_out_of_reach(*result, joined, added)) continue;
    merges.push_back({*left, *right, *result});
  }
  return merges;
}

// Every way to put a token together from two others, by the tokens' scores.
std::vector<BpeMerge> Vocabulary::scored_merges(const AddedTokens& added) const {
  const std::vector<BaseToken>& tokens = data_->tokens;
  const std::vector<float>& scores = data_->scores;
  std::vector<size_t> order(tokens.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  std::vector<BpeMerge> merges;
  std::optional<float> last_score;
  for (const size_t index : order) {
    const BaseToken& token = tokens[index];
    if (!token.is_text || is_out_of_reach(token.id, token.text, added)) continue;
    const std::string_view text = token.text;
    for (size_t cut = 1; cut < text.size(); ++cut) {
      const std::optional<int32_t> left = find(text.substr(0, cut));
      const std::optional<int32_t> right = left ? find(text.substr(cut)) : std::nullopt;
      if (!left || !right) continue;
      merges.push_back({*left, *right, token.id, last_score == scores[index]});
      last_score = scores[index];
    }
  }
  return merges;
}

// SpecialTokens::kIgnore promises that no text spells a marker: neither a byte nor a merge may lead
// to one.
Status Vocabulary::check_forgery(int32_t id, const AddedTokens& added) const {
  const AddedToken* token = added.find_id(id);
  if (token == nullptr) return ok_status();
  return Error{.kind = ErrorKind::kDamaged,
               .what = "plain text can become an added token",
               .where = where_ + ": merges",
               .found = std::to_string(id) + " \"" + token->content + "\""};
}

Status Vocabulary::check_bytes(const AddedTokens& added) const {
  KVASIR_ASSIGN_OR_RETURN(const auto byte_ids, this->byte_ids());
  for (const int32_t id : byte_ids) KVASIR_RETURN_IF_ERROR(check_forgery(id, added));
  return ok_status();
}

}  // namespace kvasir::text
