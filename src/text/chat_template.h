// A ChatTemplate writes a conversation as the text that a model was trained on, with the template
// that came with the model. It hands the template what Hugging Face transformers'
// apply_chat_template hands it, and gives the text in pieces: what the template says may hold
// markers, and what people wrote may not, whatever it spells.
//
// A ChatTemplate is immutable, and any number of threads may use it at the same time.
#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "kvasir/result.h"
#include "text/jinja/template.h"

namespace kvasir::text {

// Where a model's template comes from: tokenizer_config.json, chat_template.jinja or a GGUF file.
struct ChatTemplateSource {
  std::string text;
  std::string tool_use_text;  // takes its place when there are tools; may be empty
  // "bos_token" and its like, as templates name them, and what they are written as.
  std::vector<std::pair<std::string, std::string>> special_tokens;
};
// The template and tokens that a tokenizer_config.json names. Fails when it has no template.
Result<ChatTemplateSource> chat_template_source(const Json& tokenizer_config,
                                                std::string_view where);

struct ChatTemplateInput {
  Json messages;   // an array of objects with a role, a content and what else there is
  Json tools;      // an array of objects; null: none
  Json documents;  // likewise
  Json options;    // an object of more variables, such as enable_thinking; may be null
  bool add_generation_prompt = false;
  std::optional<std::tm> now;  // what strftime_now() tells; without one the time of the call
};

class ChatTemplate {
 public:
  // `where` names the template in messages.
  static Result<ChatTemplate> parse(ChatTemplateSource source, std::string_view where,
                                    const jinja::TemplateLimits& limits = {});

  // Null members of a message are left out, and reasoning goes by all its usual names. Roles that
  // are known to be roles count as literal, since some templates build markers of them; so do
  // special tokens. Errors are those of Template::render, and kUsage for an input of the wrong
  // form.
  Result<std::vector<jinja::Segment>> render(const ChatTemplateInput& input) const;

  // Whether the template has the word in quotes, as names of roles and degrees are compared with.
  bool names(std::string_view word) const;
  // Whether the template, or the one with tools, has this text.
  bool spells(std::string_view text) const;

 private:
  ChatTemplate(ChatTemplateSource source, jinja::Template plain,
               std::optional<jinja::Template> tool_use)
      : source_(std::move(source)), plain_(std::move(plain)), tool_use_(std::move(tool_use)) {}

  ChatTemplateSource source_;
  jinja::Template plain_;
  std::optional<jinja::Template> tool_use_;
};

}  // namespace kvasir::text
