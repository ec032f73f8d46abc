#include "text/template_transcript.h"

#include <filesystem>
#include <utility>

#include "base/check.h"
#include "base/text_file.h"
#include "checkpoint/checkpoint_place.h"
#include "checkpoint/gguf_file.h"
#include "text/call_forms.h"
#include "text/rendered_prompt.h"

namespace kvasir::text {
namespace {

constexpr std::string_view kThinkBegin = "<think>";
constexpr std::string_view kThinkEnd = "</think>";

using Source = std::optional<ChatTemplateSource>;

// The text of the token whose id a key of a GGUF file gives.
void add_special_token(const Json& keys, const char* key, const char* name,
                       ChatTemplateSource& source) {
  const Json* id = keys.find(key);
  const Json* tokens = keys.find("tokenizer.ggml.tokens");
  if (id == nullptr || id->as_integer() == nullptr || tokens == nullptr ||
      tokens->as_array() == nullptr) {
    return;
  }
  const auto place = static_cast<size_t>(*id->as_integer());
  if (place >= tokens->as_array()->size()) return;
  const std::string* text = (*tokens->as_array())[place].as_string();
  if (text != nullptr) source.special_tokens.emplace_back(name, *text);
}

Result<Source> source_in_gguf(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const GgufFile file, read_gguf_file(path));
  const Json& keys = file.parts.front().head.keys();
  const Json* text = keys.find("tokenizer.chat_template");
  if (text == nullptr || text->as_string() == nullptr) return Source();
  ChatTemplateSource source{.text = *text->as_string()};
  add_special_token(keys, "tokenizer.ggml.bos_token_id", "bos_token", source);
  add_special_token(keys, "tokenizer.ggml.eos_token_id", "eos_token", source);
  add_special_token(keys, "tokenizer.ggml.unknown_token_id", "unk_token", source);
  add_special_token(keys, "tokenizer.ggml.padding_token_id", "pad_token", source);
  return Source(std::move(source));
}

// The file beside it goes before what tokenizer_config.json says.
Result<Source> source_in_directory(const std::filesystem::path& directory) {
  Json config{Json::Object{}};
  const auto config_path = directory / "tokenizer_config.json";
  if (std::filesystem::exists(config_path)) {
    KVASIR_ASSIGN_OR_RETURN(const std::string text, read_text_file(config_path.string()));
    KVASIR_ASSIGN_OR_RETURN(config, Json::parse(text, config_path.string()));
  }
  const auto template_path = directory / "chat_template.jinja";
  if (std::filesystem::exists(template_path)) {
    KVASIR_ASSIGN_OR_RETURN(std::string text, read_text_file(template_path.string()));
    Json::Object fields{{"chat_template", std::move(text)}};
    if (const Json::Object* members = config.as_object()) {
      for (const auto& [name, value] : *members) {
        if (name != "chat_template") fields.emplace_back(name, value);
      }
    }
    config = Json(std::move(fields));
  }
  const Json* chat_template = config.find("chat_template");
  if (chat_template == nullptr || chat_template->is_null()) return Source();
  KVASIR_ASSIGN_OR_RETURN(ChatTemplateSource source,
                          chat_template_source(config, config_path.string()));
  return Source(std::move(source));
}

}  // namespace

Result<std::optional<ChatTemplate>> open_chat_template(const std::string& model_path) {
  KVASIR_ASSIGN_OR_RETURN(const CheckpointPlace place, find_checkpoint(model_path));
  KVASIR_ASSIGN_OR_RETURN(Source source, place.form == CheckpointForm::kGguf
                                             ? source_in_gguf(place.path)
                                             : source_in_directory(place.path));
  if (!source) return std::optional<ChatTemplate>();
  KVASIR_ASSIGN_OR_RETURN(ChatTemplate parsed,
                          ChatTemplate::parse(std::move(*source), "chat template"));
  return std::optional(std::move(parsed));
}

ReplyForm template_reply_form(const Tokenizer& tokenizer) {
  ReplyForm form{.tokenizer = &tokenizer, .ends = tokenizer.frame().ends};
  form.think_begin = tokenizer.added_token_id(kThinkBegin);
  form.think_end = tokenizer.added_token_id(kThinkEnd);
  return form;
}

TemplateTranscript::TemplateTranscript(const ChatTemplate& chat_template,
                                       const Tokenizer& tokenizer, std::string_view system)
    : template_(&chat_template), tokenizer_(&tokenizer), form_(template_reply_form(tokenizer)) {
  add_call_form(chat_template, form_);
  if (system.empty()) return;
  messages_.emplace_back(Json::Object{{"role", "system"}, {"content", std::string(system)}});
}

// The reply becomes a message; reasoning goes apart from the answer.
void TemplateTranscript::end_reply() {
  ReplyParser parser(form_, starts_in_reasoning_);
  ReplyText reply;
  const auto take = [&](const ReplyText& piece) {
    reply.reasoning += piece.reasoning;
    reply.answer += piece.answer;
  };
  for (size_t i = reply_start_; i < ids_.size(); ++i) take(parser.push(ids_[i]));
  take(parser.flush());
  Json::Object message{{"role", "assistant"}, {"content", reply.answer}};
  if (!reply.reasoning.empty()) message.emplace_back("reasoning_content", reply.reasoning);
  messages_.emplace_back(std::move(message));
  // What the template writes after a reply begins with what ends it.
  while (ids_.size() > reply_start_ && form_.ends_reply(ids_.back())) ids_.pop_back();
  for (size_t i = reply_start_; i < ids_.size(); ++i) prompt_ += tokenizer_->token_bytes(ids_[i]);
  reply_start_ = 0;
}

Status TemplateTranscript::add_user(std::string_view text, ChatMode mode) {
  if (reply_start_ != 0) end_reply();
  messages_.emplace_back(Json::Object{{"role", "user"}, {"content", std::string(text)}});
  const bool thinks = mode == ChatMode::kThinking;
  auto segments =
      template_->render({.messages = Json(messages_),
                         .options = Json::Object{{"enable_thinking", thinks}, {"thinking", thinks}},
                         .add_generation_prompt = true});
  if (!segments.ok()) {
    messages_.pop_back();
    return std::move(segments).error();
  }
  std::string whole = jinja::text_of(*segments);
  const bool goes_on = !prompt_.empty() && whole.starts_with(prompt_);
  if (!goes_on) ids_.clear();
  const std::vector<int32_t> added =
      tokenizer_->encode_parts(without_front(parts_of(*segments), goes_on ? prompt_.size() : 0));
  ids_.insert(ids_.end(), added.begin(), added.end());
  starts_in_reasoning_ = ends_with_opened_reasoning(whole);
  prompt_ = std::move(whole);
  reply_start_ = ids_.size();
  return ok_status();
}

void TemplateTranscript::add_sampled(int32_t id) {
  KVASIR_CHECK(reply_start_ != 0, "there is no user message to reply to");
  ids_.push_back(id);
}

}  // namespace kvasir::text
