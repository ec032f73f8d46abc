#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer.h"
#include "text/unicode_category.h"
#include "text/vocabulary.h"

// Tokenizer::build: what a tokenizer file says, checked as a whole and made into tables.
namespace kvasir::text {
namespace {

Status check_id(int64_t id, std::string_view text, const std::string& where) {
  if (id >= 0 && id < kTokenIdsMax) return ok_status();
  return Error{.kind = ErrorKind::kDamaged,
               .what = "a token id is out of bounds",
               .where = where,
               .expected = "0 to " + std::to_string(kTokenIdsMax - 1),
               .found = std::to_string(id) + " for \"" + std::string(text) + "\""};
}

// The model would know such a token under two ids.
Status check_added(const std::vector<AddedToken>& added, const Vocabulary& vocabulary,
                   const std::string& where) {
  for (const AddedToken& token : added) {
    const std::optional<int32_t> base = vocabulary.find(token.content);
    if (!base || *base == token.id) continue;
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "an added token has another id in the vocabulary",
                 .where = where,
                 .expected = std::to_string(token.id) + " for \"" + token.content + "\"",
                 .found = std::to_string(*base)};
  }
  return ok_status();
}

// The texts of all tokens by id, null where there is none. An added token may also be in the
// vocabulary, under the same id.
Result<std::vector<const std::string*>> place_texts(const TokenizerData& data,
                                                    const AddedTokens& added,
                                                    const std::string& where) {
  std::vector<const std::string*> texts;
  const auto place = [&](int32_t id, const std::string& text) -> Status {
    KVASIR_RETURN_IF_ERROR(check_id(id, text, where));
    const auto index = static_cast<size_t>(id);
    if (index >= texts.size()) texts.resize(index + 1);
    if (texts[index] != nullptr && (*texts[index] != text || added.find_id(id) == nullptr)) {
      return Error{.kind = ErrorKind::kDamaged,
                   .what = "two tokens have one id",
                   .where = where,
                   .found = std::to_string(id) + " for \"" + text + "\""};
    }
    texts[index] = &text;
    return ok_status();
  };
  for (const BaseToken& token : data.tokens) KVASIR_RETURN_IF_ERROR(place(token.id, token.text));
  for (const AddedToken& token : data.added) KVASIR_RETURN_IF_ERROR(place(token.id, token.content));
  return texts;
}

Result<TokenTable> make_token_table(const TokenizerData& data, const AddedTokens& added,
                                    const std::string& where) {
  KVASIR_ASSIGN_OR_RETURN(const auto texts, place_texts(data, added, where));
  std::vector<std::optional<std::string>> bytes_of_id(texts.size());
  for (size_t id = 0; id < texts.size(); ++id) {
    if (texts[id] == nullptr) continue;
    // Added tokens are never written in the byte alphabet.
    const bool is_raw = data.alphabet == TokenAlphabet::kBytes &&
                        added.find_id(static_cast<int32_t>(id)) != nullptr;
    bytes_of_id[id] = is_raw ? *texts[id] : token_bytes_of(data.alphabet, *texts[id]);
  }
  return TokenTable(bytes_of_id);
}

// The tokens that a whole piece can be.
std::vector<int32_t> ids_of_whole_pieces(const TokenizerData& data, const AddedTokens& added) {
  std::vector<int32_t> ids;
  for (const BaseToken& token : data.tokens) {
    // A text outside the alphabet stands for no bytes of a piece.
    const bool is_written_in_bytes = bytes_of_token_text(token.text) != token.text ||
                                     std::all_of(token.text.begin(), token.text.end(),
                                                 [](char c) { return c > ' ' && c <= '~'; });
    if (token.is_text && is_written_in_bytes && added.find_id(token.id) == nullptr) {
      ids.push_back(token.id);
    }
  }
  return ids;
}

// A cut before every blank that follows something else changes no ids where no merge reaches over
// one, and keeps the pieces short.
bool may_cut_before_blanks(const TokenizerData& data) {
  if (data.alphabet != TokenAlphabet::kCharacters) return false;
  return std::none_of(data.tokens.begin(), data.tokens.end(), [](const BaseToken& token) {
    std::string_view text = token.text;
    while (text.starts_with(kBlankSign)) text.remove_prefix(kBlankSign.size());
    return token.is_text && text.find(kBlankSign) != std::string_view::npos;
  });
}

Result<PreTokenizer> make_pre_tokenizer(const TokenizerData& data, std::string_view where) {
  std::vector<SplitStep> steps = data.splits;
  if (may_cut_before_blanks(data)) steps.push_back({.pattern = "▁+[^▁]*|[^▁]+"});
  return PreTokenizer::build(steps, where);
}

bool is_white_space(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const Utf8Character character = read_character(text, at);
    if (!rest.starts_with(kBlankSign) && category_of(character.code_point) != Category::kSpace) {
      return false;
    }
    at += character.size_bytes;
  }
  return true;
}

// SentencePiece finds its user-defined tokens in every text. Those that are not white space could
// be taken for markers.
std::vector<AddedToken> with_every_text_tokens(const TokenizerData& data) {
  std::vector<AddedToken> added = data.added;
  for (AddedToken& token : added) {
    token.in_every_text = data.alphabet == TokenAlphabet::kCharacters && !token.special &&
                          is_white_space(token.content);
  }
  return added;
}

}  // namespace

Result<Tokenizer> Tokenizer::build(const TokenizerData& data, std::string_view where) {
  const std::string vocab_where = std::string(where) + ": vocab";
  Tokenizer tokenizer;
  tokenizer.normalizer_ = Normalizer(data.normalizer);
  tokenizer.late_normalizer_ = Normalizer(data.late_normalizer);
  KVASIR_ASSIGN_OR_RETURN(tokenizer.added_, AddedTokens::build(with_every_text_tokens(data), where,
                                                               tokenizer.normalizer_));
  const AddedTokens& added = tokenizer.added_;
  KVASIR_ASSIGN_OR_RETURN(tokenizer.tokens_, make_token_table(data, added, vocab_where));
  KVASIR_ASSIGN_OR_RETURN(const Vocabulary vocabulary, Vocabulary::make(data, where));
  KVASIR_RETURN_IF_ERROR(check_added(data.added, vocabulary, vocab_where));
  KVASIR_ASSIGN_OR_RETURN(const auto byte_ids, vocabulary.byte_ids());
  KVASIR_ASSIGN_OR_RETURN(const auto merges, vocabulary.merges(added));
  KVASIR_ASSIGN_OR_RETURN(tokenizer.pre_tokenizer_, make_pre_tokenizer(data, where));
  tokenizer.bpe_ = Bpe(byte_ids, merges, vocabulary.character_ids(added));
  if (data.ignores_merges) tokenizer.tokens_.index(ids_of_whole_pieces(data, added));
  tokenizer.ignores_merges_ = data.ignores_merges;
  tokenizer.strips_first_blank_ = data.strips_first_blank;
  tokenizer.frame_ = data.frame;
  return tokenizer;
}

}  // namespace kvasir::text
