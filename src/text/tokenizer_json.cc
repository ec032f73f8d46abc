#include <optional>

#include "base/foreign_content.h"
#include "base/json.h"
#include "text/json_fields.h"
#include "text/tokenizer_data.h"
#include "text/tokenizer_pipeline.h"

namespace kvasir::text {
namespace {

constexpr JsonLimits kLimits{.text_bytes_max = uint64_t{64} << 20, .depth_max = 16};

// unk_token and fuse_unk say what becomes of a character without a token: there is none, since
// every byte must have one.
Status read_model_flags(const JsonFields& model, TokenizerData& data) {
  KVASIR_RETURN_IF_ERROR(model.expect_empty("continuing_subword_prefix"));
  KVASIR_RETURN_IF_ERROR(model.expect_empty("end_of_word_suffix"));
  if (model.find("dropout") != nullptr) return model.refuse("dropout", "nothing");
  data.ignores_merges = model.is_true("ignore_merges");
  if (data.alphabet == TokenAlphabet::kBytes) return ok_status();
  if (!model.is_true("byte_fallback")) return model.refuse("byte_fallback", "true");
  return model.expect_false("ignore_merges");
}

Result<int32_t> read_id(const Json* value, std::string_view text, const std::string& where) {
  const int64_t* id = value == nullptr ? nullptr : value->as_integer();
  if (id != nullptr && *id >= 0 && *id < kTokenIdsMax) return static_cast<int32_t>(*id);
  return Error{.kind = ErrorKind::kDamaged,
               .what = "a token has no valid id",
               .where = where + " of \"" + std::string(text) + "\"",
               .expected = "0 to " + std::to_string(kTokenIdsMax - 1),
               .found = value == nullptr ? "nothing" : value->dump()};
}

Result<std::vector<BaseToken>> read_vocab(const JsonFields& model) {
  const Json* vocab = model.find("vocab");
  if (vocab == nullptr || vocab->as_object() == nullptr) {
    return model.refuse("vocab", "an object of tokens and ids");
  }
  const std::string where = model.where("vocab");
  std::vector<BaseToken> tokens;
  tokens.reserve(vocab->as_object()->size());
  for (const auto& [text, id_value] : *vocab->as_object()) {
    KVASIR_ASSIGN_OR_RETURN(const int32_t id, read_id(&id_value, text, where));
    tokens.push_back({text, id});
  }
  return tokens;
}

using Merge = std::pair<std::string, std::string>;

// ["a", "b"], or "a b" in older files.
std::optional<Merge> read_merge(const Json& value) {
  if (const std::string* text = value.as_string()) {
    const size_t space = text->find(' ');
    if (space == std::string::npos || text->find(' ', space + 1) != std::string::npos) return {};
    return Merge(text->substr(0, space), text->substr(space + 1));
  }
  const Json::Array* pair = value.as_array();
  if (pair == nullptr || pair->size() != 2) return {};
  const std::string* left = (*pair)[0].as_string();
  const std::string* right = (*pair)[1].as_string();
  if (left == nullptr || right == nullptr) return {};
  return Merge(*left, *right);
}

Result<std::vector<Merge>> read_merges(const JsonFields& model) {
  const Json* value = model.find("merges");
  if (value == nullptr || value->as_array() == nullptr) return model.refuse("merges", "an array");
  std::vector<Merge> merges;
  merges.reserve(value->as_array()->size());
  for (const Json& item : *value->as_array()) {
    std::optional<Merge> merge = read_merge(item);
    if (!merge) {
      return Error{.kind = ErrorKind::kDamaged,
                   .what = "a merge is malformed",
                   .where = model.where("merges[" + std::to_string(merges.size()) + "]"),
                   .expected = "two tokens",
                   .found = item.dump()};
    }
    merges.push_back(std::move(*merge));
  }
  return merges;
}

Result<AddedToken> read_added_token(const JsonFields& fields) {
  const Json* content = fields.find("content");
  if (content == nullptr || content->as_string() == nullptr) {
    return fields.refuse("content", "a text");
  }
  AddedToken token{.content = *content->as_string(),
                   .special = fields.is_true("special"),
                   .normalized = fields.is_true("normalized"),
                   .strips_before = fields.is_true("lstrip"),
                   .strips_after = fields.is_true("rstrip"),
                   .single_word = fields.is_true("single_word")};
  KVASIR_ASSIGN_OR_RETURN(token.id, read_id(fields.find("id"), token.content, fields.where("id")));
  return token;
}

Result<std::vector<AddedToken>> read_added_tokens(const JsonFields& file) {
  std::vector<AddedToken> tokens;
  const Json* value = file.find("added_tokens");
  if (value == nullptr) return tokens;
  const Json::Array* items = value->as_array();
  if (items == nullptr) return file.refuse("added_tokens", "an array");
  for (size_t i = 0; i < items->size(); ++i) {
    KVASIR_ASSIGN_OR_RETURN(AddedToken token,
                            read_added_token(file.item("added_tokens", *items, i)));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace

// Not looked at: "truncation" and "padding", which are settings of whoever saved the file.
Result<TokenizerData> parse_tokenizer_json(std::string_view json, std::string_view where) {
  KVASIR_RETURN_IF_ERROR(check_content(json, where, FileForm::kJson));
  KVASIR_ASSIGN_OR_RETURN(const Json root, Json::parse(json, where, kLimits));
  const JsonFields file(root, std::string(where) + ": ");
  if (root.as_object() == nullptr) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "the tokenizer file holds no JSON object",
                 .where = std::string(where)};
  }
  const JsonFields model = file.inside("model");
  KVASIR_RETURN_IF_ERROR(model.expect_text("type", "BPE"));
  TokenizerData data;
  KVASIR_RETURN_IF_ERROR(read_normalizer(file, data));
  KVASIR_RETURN_IF_ERROR(read_pre_tokenizer(file, data));
  KVASIR_RETURN_IF_ERROR(read_decoder(file, data));
  KVASIR_RETURN_IF_ERROR(read_post_processor(file, data));
  KVASIR_RETURN_IF_ERROR(read_model_flags(model, data));
  KVASIR_ASSIGN_OR_RETURN(data.tokens, read_vocab(model));
  KVASIR_ASSIGN_OR_RETURN(data.merges, read_merges(model));
  KVASIR_ASSIGN_OR_RETURN(data.added, read_added_tokens(file));
  return data;
}

}  // namespace kvasir::text
