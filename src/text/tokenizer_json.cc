#include <algorithm>
#include <optional>

#include "base/foreign_content.h"
#include "base/json.h"
#include "text/tokenizer_data.h"

namespace kvasir::text {
namespace {

constexpr JsonLimits kLimits{.text_bytes_max = uint64_t{64} << 20, .depth_max = 16};

constexpr std::string_view kNumbersPattern = R"re(\p{N}{1,3})re";
constexpr std::string_view kCjkPattern = "[一-龥぀-ゟ゠-ヿ]+";
constexpr std::string_view kCjkPatternEscaped = R"re([\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+)re";
constexpr std::string_view kWordsPattern =
    R"re([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)re"
    R"re(|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)re"
    R"re(|\s*[\r\n]+|\s+(?!\S)|\s+)re";

// Reads members of one JSON object. `path` is what stands before a member's name in messages.
class Fields {
 public:
  Fields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {}

  std::string where(std::string_view name) const { return path_ + std::string(name); }
  // Null when absent or null in the file.
  const Json* find(std::string_view name) const {
    const Json* value = object_.find(name);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  Fields inside(std::string_view name) const {
    static const Json kNothing;
    const Json* value = find(name);
    return Fields(value == nullptr ? kNothing : *value, where(name) + ".");
  }
  // REQUIRES: `items` is the array of that name.
  Fields item(std::string_view name, const Json::Array& items, size_t i) const {
    return Fields(items[i], where(name) + "[" + std::to_string(i) + "].");
  }

  std::string text(std::string_view name) const {
    const Json* value = find(name);
    const std::string* text = value == nullptr ? nullptr : value->as_string();
    return text == nullptr ? "" : *text;
  }
  bool is_true(std::string_view name) const {
    const Json* value = find(name);
    return value != nullptr && value->as_bool() != nullptr && *value->as_bool();
  }

  Error refuse(std::string_view name, std::string expected) const {
    const Json* value = find(name);
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "the tokenizer asks for what is not supported",
                 .where = where(name),
                 .expected = std::move(expected),
                 .found = value == nullptr ? "nothing" : value->dump()};
  }
  Status expect_text(std::string_view name, std::string_view expected) const {
    if (text(name) == expected) return ok_status();
    return refuse(name, "\"" + std::string(expected) + "\"");
  }
  // Absent counts as false.
  Status expect_false(std::string_view name) const {
    const Json* value = find(name);
    if (value == nullptr || (value->as_bool() != nullptr && !*value->as_bool())) return ok_status();
    return refuse(name, "false");
  }
  // Absent, null and "" are all the same.
  Status expect_empty(std::string_view name) const {
    const Json* value = find(name);
    if (value == nullptr || (value->as_string() != nullptr && value->as_string()->empty())) {
      return ok_status();
    }
    return refuse(name, "nothing");
  }

 private:
  const Json& object_;
  std::string path_;
};

Status check_normalizer(const Fields& file) {
  if (file.find("normalizer") == nullptr) return ok_status();
  const Fields normalizer = file.inside("normalizer");
  const Json* steps = normalizer.find("normalizers");
  const bool does_nothing = normalizer.text("type") == "Sequence" && steps != nullptr &&
                            steps->as_array() != nullptr && steps->as_array()->empty();
  if (does_nothing) return ok_status();
  return file.refuse("normalizer", "none");
}

// Line ends may stand in a pattern as they are or as escapes.
std::string with_escaped_line_ends(std::string_view pattern) {
  std::string out;
  for (const char c : pattern) {
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

Status check_split(const Fields& split, std::initializer_list<std::string_view> spellings) {
  KVASIR_RETURN_IF_ERROR(split.expect_text("type", "Split"));
  KVASIR_RETURN_IF_ERROR(split.expect_text("behavior", "Isolated"));
  KVASIR_RETURN_IF_ERROR(split.expect_false("invert"));
  const std::string pattern = with_escaped_line_ends(split.inside("pattern").text("Regex"));
  const auto known = std::find(spellings.begin(), spellings.end(), pattern);
  if (known != spellings.end()) return ok_status();
  return split.refuse("pattern", std::string(*spellings.begin()));
}

Status check_byte_level(const Fields& step) {
  KVASIR_RETURN_IF_ERROR(step.expect_text("type", "ByteLevel"));
  KVASIR_RETURN_IF_ERROR(step.expect_false("add_prefix_space"));
  const Json* use_regex = step.find("use_regex");
  if (use_regex == nullptr) return step.refuse("use_regex", "false");
  return step.expect_false("use_regex");
}

Status check_pre_tokenizer(const Fields& file) {
  const Fields sequence = file.inside("pre_tokenizer");
  KVASIR_RETURN_IF_ERROR(sequence.expect_text("type", "Sequence"));
  const Json* value = sequence.find("pretokenizers");
  const Json::Array* steps = value == nullptr ? nullptr : value->as_array();
  if (steps == nullptr || steps->size() != 4) {
    return sequence.refuse("pretokenizers", "three Split and one ByteLevel");
  }
  const auto step = [&](size_t i) { return sequence.item("pretokenizers", *steps, i); };
  KVASIR_RETURN_IF_ERROR(check_split(step(0), {kNumbersPattern}));
  KVASIR_RETURN_IF_ERROR(check_split(step(1), {kCjkPattern, kCjkPatternEscaped}));
  KVASIR_RETURN_IF_ERROR(check_split(step(2), {kWordsPattern}));
  return check_byte_level(step(3));
}

// unk_token, fuse_unk and byte_fallback say what becomes of a character without a token: there is
// none, since every byte must have one.
Status check_model_flags(const Fields& model) {
  KVASIR_RETURN_IF_ERROR(model.expect_text("type", "BPE"));
  KVASIR_RETURN_IF_ERROR(model.expect_empty("continuing_subword_prefix"));
  KVASIR_RETURN_IF_ERROR(model.expect_empty("end_of_word_suffix"));
  KVASIR_RETURN_IF_ERROR(model.expect_false("ignore_merges"));
  if (model.find("dropout") != nullptr) return model.refuse("dropout", "nothing");
  return ok_status();
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

Result<std::vector<BaseToken>> read_vocab(const Fields& model) {
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

Result<std::vector<Merge>> read_merges(const Fields& model) {
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

Result<AddedToken> read_added_token(const Fields& fields) {
  for (const std::string_view flag : {"single_word", "lstrip", "rstrip"}) {
    KVASIR_RETURN_IF_ERROR(fields.expect_false(flag));
  }
  const Json* content = fields.find("content");
  if (content == nullptr || content->as_string() == nullptr) {
    return fields.refuse("content", "a text");
  }
  AddedToken token{.content = *content->as_string(),
                   .special = fields.is_true("special"),
                   .normalized = fields.is_true("normalized")};
  KVASIR_ASSIGN_OR_RETURN(token.id, read_id(fields.find("id"), token.content, fields.where("id")));
  return token;
}

Result<std::vector<AddedToken>> read_added_tokens(const Fields& file) {
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

// Not looked at: "truncation" and "padding", which are settings of whoever saved the file, and
// "post_processor", which adds what the chat encoding adds here.
Result<TokenizerData> parse_tokenizer_json(std::string_view json, std::string_view where) {
  KVASIR_RETURN_IF_ERROR(check_content(json, where, FileForm::kJson));
  KVASIR_ASSIGN_OR_RETURN(const Json root, Json::parse(json, where, kLimits));
  const Fields file(root, std::string(where) + ": ");
  if (root.as_object() == nullptr) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "the tokenizer file holds no JSON object",
                 .where = std::string(where)};
  }
  KVASIR_RETURN_IF_ERROR(check_normalizer(file));
  KVASIR_RETURN_IF_ERROR(check_pre_tokenizer(file));
  if (file.find("decoder") != nullptr) {
    KVASIR_RETURN_IF_ERROR(file.inside("decoder").expect_text("type", "ByteLevel"));
  }
  const Fields model = file.inside("model");
  KVASIR_RETURN_IF_ERROR(check_model_flags(model));
  TokenizerData data;
  KVASIR_ASSIGN_OR_RETURN(data.tokens, read_vocab(model));
  KVASIR_ASSIGN_OR_RETURN(data.merges, read_merges(model));
  KVASIR_ASSIGN_OR_RETURN(data.added, read_added_tokens(file));
  return data;
}

}  // namespace kvasir::text
