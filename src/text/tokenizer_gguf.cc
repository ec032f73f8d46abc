#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "text/pre_tokenizer_names.h"
#include "text/tokenizer_data.h"
#include "text/vocabulary.h"

// The tokenizer in the keys of a GGUF file, "tokenizer.ggml.*".
namespace kvasir::text {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";
constexpr size_t kTokenTextsBytesMax = size_t{64} << 20;

// As ggml numbers them.
enum TokenType : int32_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

// The keys that SentencePiece's own files need not have.
constexpr int32_t kSentencePieceUnknown = 0;
constexpr int32_t kSentencePieceBegin = 1;
constexpr int32_t kSentencePieceEnd = 2;

class Keys {
 public:
  Keys(const Json& keys, std::string_view where) : keys_(&keys), where_(where) {}

  std::string name(std::string_view key) const { return std::string(kPrefix) + std::string(key); }
  std::string text(std::string_view key) const {
    const Json* value = find(key);
    return value == nullptr || value->as_string() == nullptr ? "" : *value->as_string();
  }
  bool flag(std::string_view key, bool absent) const {
    const Json* value = find(key);
    return value == nullptr || value->as_bool() == nullptr ? absent : *value->as_bool();
  }
  // Views into the keys.
  Result<std::vector<std::string_view>> texts(std::string_view key) const {
    return items<std::string_view>(key, "a list of texts",
                                   [](const Json& item) -> std::optional<std::string_view> {
                                     if (item.as_string() == nullptr) return std::nullopt;
                                     return std::string_view(*item.as_string());
                                   });
  }
  Result<std::vector<float>> reals(std::string_view key) const {
    return items<float>(key, "a list of numbers", [](const Json& item) -> std::optional<float> {
      if (item.as_double() == nullptr) return std::nullopt;
      return static_cast<float>(*item.as_double());
    });
  }
  // Empty when there is no such key.
  Result<std::vector<int32_t>> integers(std::string_view key) const {
    if (find(key) == nullptr) return std::vector<int32_t>();
    return items<int32_t>(key, "a list of integers",
                          [](const Json& item) -> std::optional<int32_t> {
                            const int64_t* number = item.as_integer();
                            if (number == nullptr || *number < INT32_MIN || *number > INT32_MAX) {
                              return std::nullopt;
                            }
                            return static_cast<int32_t>(*number);
                          });
  }
  // The value is a token id, or -1, which some files write for none.
  Result<std::optional<int32_t>> id(std::string_view key, size_t token_count) const {
    const Json* value = find(key);
    const int64_t* id = value == nullptr ? nullptr : value->as_integer();
    constexpr int64_t kNone32 = UINT32_MAX;
    if (id == nullptr || *id == -1 || *id == kNone32) return std::optional<int32_t>();
    if (*id >= 0 && *id < static_cast<int64_t>(token_count)) {
      return std::optional(static_cast<int32_t>(*id));
    }
    return damaged(key, "the id of a token", std::to_string(*id));
  }

  Error damaged(std::string_view key, std::string expected, std::string found) const {
    return bad(ErrorKind::kDamaged, "the tokenizer is damaged", key, std::move(expected),
               std::move(found));
  }
  Error unsupported(std::string_view key, std::string expected, std::string found) const {
    return bad(ErrorKind::kUnsupported, "the tokenizer asks for what is not supported", key,
               std::move(expected), std::move(found));
  }

 private:
  const Json* find(std::string_view key) const { return keys_->find(name(key)); }

  // `read` gives nothing where an item is of another type.
  template <class T, class Read>
  Result<std::vector<T>> items(std::string_view key, const char* expected, const Read& read) const {
    const Json* list = find(key);
    if (list == nullptr || list->as_array() == nullptr) return damaged(key, "a list", "nothing");
    std::vector<T> items;
    items.reserve(list->as_array()->size());
    for (const Json& item : *list->as_array()) {
      const std::optional<T> value = read(item);
      if (!value) return damaged(key, expected, item.dump());
      items.push_back(*value);
    }
    return items;
  }

  Error bad(ErrorKind kind, std::string what, std::string_view key, std::string expected,
            std::string found) const {
    return Error{.kind = kind,
                 .what = std::move(what),
                 .where = fmt::format("{}: {}", where_, name(key)),
                 .expected = std::move(expected),
                 .found = std::move(found)};
  }

  const Json* keys_;
  std::string_view where_;
};

Status check_counts(const Keys& keys, const std::vector<std::string_view>& texts,
                    const std::vector<int32_t>& types) {
  if (texts.empty() || texts.size() > static_cast<size_t>(kTokenIdsMax)) {
    return keys.damaged("tokens", fmt::format("1 to {} tokens", kTokenIdsMax),
                        std::to_string(texts.size()));
  }
  size_t bytes = 0;
  for (const std::string_view text : texts) bytes += text.size();
  if (bytes > kTokenTextsBytesMax) {
    return keys.damaged("tokens", fmt::format("at most {} bytes", kTokenTextsBytesMax),
                        std::to_string(bytes));
  }
  if (types.empty() || types.size() == texts.size()) return ok_status();
  return keys.damaged("token_type", std::to_string(texts.size()), std::to_string(types.size()));
}

// Blanks of user-defined tokens are written as they are, those of others as signs.
std::string with_blank_signs(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out += kBlankSign;
    } else {
      out += c;
    }
  }
  return out;
}

void add_token(TokenizerData& data, std::string_view text, int32_t id, int32_t type) {
  const bool is_added = type == kControl || type == kUserDefined || type == kUnknown;
  const bool in_signs = type == kUserDefined && data.alphabet == TokenAlphabet::kCharacters;
  std::string content = in_signs ? with_blank_signs(text) : std::string(text);
  if (is_added && !content.empty()) {
    data.added.push_back(
        {.content = content, .id = id, .special = type != kUserDefined, .normalized = in_signs});
  }
  data.tokens.push_back({std::move(content), id, !is_added && type != kUnused});
}

Status read_tokens(const Keys& keys, TokenizerData& data) {
  KVASIR_ASSIGN_OR_RETURN(const auto texts, keys.texts("tokens"));
  KVASIR_ASSIGN_OR_RETURN(const auto types, keys.integers("token_type"));
  KVASIR_RETURN_IF_ERROR(check_counts(keys, texts, types));
  data.tokens.reserve(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    add_token(data, texts[i], static_cast<int32_t>(i), types.empty() ? kNormal : types[i]);
  }
  return ok_status();
}

// "left right"; either may begin with a blank of its own.
Status read_merges(const Keys& keys, TokenizerData& data) {
  KVASIR_ASSIGN_OR_RETURN(const auto merges, keys.texts("merges"));
  data.merges.reserve(merges.size());
  for (const std::string_view merge : merges) {
    const size_t blank = merge.find(' ', 1);
    if (blank == std::string_view::npos || blank + 1 == merge.size()) {
      return keys.damaged("merges", "two tokens", std::string(merge));
    }
    data.merges.emplace_back(merge.substr(0, blank), merge.substr(blank + 1));
  }
  return ok_status();
}

NormalizerStep blanks_to_signs() {
  return {.kind = NormalizerStep::Kind::kReplace, .from = " ", .to = std::string(kBlankSign)};
}

// Byte pair encoding with merges.
Status read_bpe(const Keys& keys, std::string_view pre, TokenizerData& data) {
  const std::optional<NamedPreTokenizer> named = named_pre_tokenizer(pre);
  if (!named) {
    return keys.unsupported("pre", "one of: " + pre_tokenizer_names(),
                            pre.empty() ? "nothing" : std::string(pre));
  }
  data.splits = named->steps;
  data.ignores_merges = named->ignores_merges;
  if (named->composes) data.normalizer = {{.kind = NormalizerStep::Kind::kNfc}};
  if (named->is_raw) {
    data.alphabet = TokenAlphabet::kCharacters;
    data.normalizer = {blanks_to_signs()};
  }
  KVASIR_RETURN_IF_ERROR(read_tokens(keys, data));
  return read_merges(keys, data);
}

// SentencePiece's BPE, by scores.
Status read_sentence_piece(const Keys& keys, TokenizerData& data) {
  data.alphabet = TokenAlphabet::kCharacters;
  if (keys.flag("add_space_prefix", true)) {
    data.normalizer.push_back(
        {.kind = NormalizerStep::Kind::kPrepend, .to = std::string(kBlankSign)});
    data.strips_first_blank = true;
  }
  data.normalizer.push_back(blanks_to_signs());
  KVASIR_RETURN_IF_ERROR(read_tokens(keys, data));
  KVASIR_ASSIGN_OR_RETURN(data.scores, keys.reals("scores"));
  if (data.scores.size() == data.tokens.size()) return ok_status();
  return keys.damaged("scores", std::to_string(data.tokens.size()),
                      std::to_string(data.scores.size()));
}

Status read_frame(const Keys& keys, bool is_sentence_piece, bool adds_begin, TokenizerData& data) {
  FrameTokens& frame = data.frame;
  const size_t count = data.tokens.size();
  KVASIR_ASSIGN_OR_RETURN(frame.begin, keys.id("bos_token_id", count));
  KVASIR_ASSIGN_OR_RETURN(frame.end, keys.id("eos_token_id", count));
  KVASIR_ASSIGN_OR_RETURN(frame.unknown, keys.id("unknown_token_id", count));
  KVASIR_ASSIGN_OR_RETURN(frame.padding, keys.id("padding_token_id", count));
  for (const std::string_view key : {"eot_token_id", "eom_token_id"}) {
    KVASIR_ASSIGN_OR_RETURN(const auto id, keys.id(key, count));
    if (id) frame.ends.push_back(*id);
  }
  if (is_sentence_piece && count > static_cast<size_t>(kSentencePieceEnd)) {
    if (!frame.begin) frame.begin = kSentencePieceBegin;
    if (!frame.end) frame.end = kSentencePieceEnd;
    if (!frame.unknown) frame.unknown = kSentencePieceUnknown;
  }
  if (keys.flag("add_bos_token", adds_begin) && frame.begin) frame.before.push_back(*frame.begin);
  if (keys.flag("add_eos_token", false) && frame.end) frame.after.push_back(*frame.end);
  return ok_status();
}

}  // namespace

Result<TokenizerData> read_gguf_tokenizer(const Json& keys_of_file, std::string_view where) {
  const Keys keys(keys_of_file, where);
  const std::string model = keys.text("model");
  const bool is_sentence_piece = model == "llama";
  if (!is_sentence_piece && model != "gpt2" && model != "gemma4") {
    return keys.unsupported("model", "gpt2, llama or gemma4", model.empty() ? "nothing" : model);
  }
  const std::string pre = model == "gemma4" ? model : keys.text("pre");
  TokenizerData data;
  KVASIR_RETURN_IF_ERROR(is_sentence_piece ? read_sentence_piece(keys, data)
                                           : read_bpe(keys, pre, data));
  const auto named = named_pre_tokenizer(pre);
  const bool adds_begin = is_sentence_piece || (named && named->adds_begin);
  KVASIR_RETURN_IF_ERROR(read_frame(keys, is_sentence_piece, adds_begin, data));
  return data;
}

}  // namespace kvasir::text
