#include <algorithm>
#include <array>
#include <filesystem>
#include <string>

#include "base/json.h"
#include "base/text_file.h"
#include "text/json_fields.h"
#include "text/tokenizer_data.h"

// Which tokens frame texts and end answers, as the files beside a tokenizer.json say.
namespace kvasir::text {
namespace {

// Tokens that are known to end an answer, or to be no part of one.
constexpr auto kSpelledEnds = std::to_array<std::string_view>({
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<end_of_turn>",
    "<turn|>",
    "<|endoftext|>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "<|end_of_text|>",
    "<eos>",
    "<end_of_utterance>",
    "[EOT]",
    "[EOS]",
    "<｜end▁of▁sentence｜>",
    "</s>",
    // Of filling in the middle.
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<PAD>",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<REPO>",
    "<reponame>",
    "<|file_sep|>",
});

const AddedToken* find_added(const TokenizerData& data, std::string_view content) {
  const auto found = std::find_if(data.added.begin(), data.added.end(),
                                  [&](const AddedToken& t) { return t.content == content; });
  return found == data.added.end() ? nullptr : &*found;
}

// The token that a member names, as text or as an object with the text as "content".
std::optional<int32_t> named_token(const JsonFields& file, std::string_view name,
                                   const TokenizerData& data) {
  std::string content = file.text(name);
  if (content.empty()) content = file.inside(name).text("content");
  const AddedToken* token = content.empty() ? nullptr : find_added(data, content);
  if (token == nullptr) return std::nullopt;
  return token->id;
}

// A member that is a token id, or a list of them.
std::vector<int32_t> ids_of(const JsonFields& file, std::string_view name) {
  std::vector<int32_t> ids;
  const auto add = [&](const Json& value) {
    const int64_t* id = value.as_integer();
    if (id != nullptr && *id >= 0 && *id < kTokenIdsMax) ids.push_back(static_cast<int32_t>(*id));
  };
  const Json* value = file.find(name);
  if (value == nullptr) return ids;
  add(*value);
  if (const Json::Array* items = value->as_array()) {
    for (const Json& item : *items) add(item);
  }
  return ids;
}

// What `flag` says about a token in front or behind, if it says anything, goes before the template.
void apply_flag(const JsonFields& config, std::string_view flag, std::optional<int32_t> id,
                std::vector<int32_t>& ids) {
  const Json* value = config.find(flag);
  if (value == nullptr || value->as_bool() == nullptr || !id) return;
  ids.clear();
  if (*value->as_bool()) ids.push_back(*id);
}

void read_tokenizer_config(const JsonFields& config, TokenizerData& data) {
  FrameTokens& frame = data.frame;
  frame.begin = named_token(config, "bos_token", data);
  frame.end = named_token(config, "eos_token", data);
  frame.unknown = named_token(config, "unk_token", data);
  frame.padding = named_token(config, "pad_token", data);
  apply_flag(config, "add_bos_token", frame.begin, frame.before);
  apply_flag(config, "add_eos_token", frame.end, frame.after);
}

void read_model_config(const JsonFields& config, TokenizerData& data) {
  FrameTokens& frame = data.frame;
  const std::vector<int32_t> ends = ids_of(config, "eos_token_id");
  frame.ends.insert(frame.ends.end(), ends.begin(), ends.end());
  const std::vector<int32_t> begins = ids_of(config, "bos_token_id");
  if (!frame.begin && !begins.empty()) frame.begin = begins.front();
  if (!frame.end && !ends.empty()) frame.end = ends.front();
}

}  // namespace

Status read_frame_tokens(const std::string& directory, TokenizerData& data) {
  const auto read = [&](const char* name, auto take) -> Status {
    const auto path = std::filesystem::path(directory) / name;
    if (!std::filesystem::exists(path)) return ok_status();
    KVASIR_ASSIGN_OR_RETURN(const std::string text, read_text_file(path.string()));
    KVASIR_ASSIGN_OR_RETURN(const Json root, Json::parse(text, path.string()));
    take(JsonFields(root, path.string() + ": "), data);
    return ok_status();
  };
  KVASIR_RETURN_IF_ERROR(read("tokenizer_config.json", read_tokenizer_config));
  KVASIR_RETURN_IF_ERROR(read("generation_config.json", read_model_config));
  return read("config.json", read_model_config);
}

// gpt-oss ends its messages by one of these and its answer by one of two others.
void complete_frame_tokens(TokenizerData& data) {
  std::vector<int32_t>& ends = data.frame.ends;
  if (data.frame.end) ends.push_back(*data.frame.end);
  const bool ends_messages =
      find_added(data, "<|return|>") != nullptr && find_added(data, "<|call|>") != nullptr;
  for (const AddedToken& token : data.added) {
    if (std::find(kSpelledEnds.begin(), kSpelledEnds.end(), token.content) == kSpelledEnds.end()) {
      continue;
    }
    if (ends_messages && token.content == "<|end|>") continue;
    // Elsewhere it is a tag of HTML.
    if (token.content == "</s>" && !token.special) continue;
    ends.push_back(token.id);
  }
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
}

}  // namespace kvasir::text
