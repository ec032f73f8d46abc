// chat_form_probe: writes the conversations that tools/crosscheck_chat_form.py sends.
//
//   chat_form_probe tokenizer.json
//
// In: a line of JSON for each conversation, an object with messages [{role, parts, reasoning, calls
// [{id, name, arguments}], call_id}], thinking (true, false, null), effort, continues_last, what
// conversation_json.h says of tools and answers, and template with special_tokens, or null for the
// form of the tokenizer's markers. Out, for each: a line of JSON, {"tokens": [...], "text": ...,
// "starts_in_reasoning": ...} or
// {"error": ..., "field": ...}.
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "conversation_json.h"
#include "text/conversation_form.h"

namespace {

using kvasir::Json;
using kvasir::Result;
using namespace kvasir::testing;
using namespace kvasir::text;

// The form of the request before, as most have the same template.
class Forms {
 public:
  explicit Forms(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  Result<const ConversationForm*> of(const Json& request) {
    const std::string source = text_in(request, "template");
    if (form_ && source == source_) return form_.get();
    source_ = source;
    form_.reset();
    template_.reset();
    if (!source.empty()) {
      ChatTemplateSource given{.text = source};
      const Json tokens = member(request, "special_tokens");
      for (const auto& [name, text] : *tokens.as_object()) {
        given.special_tokens.emplace_back(name, *text.as_string());
      }
      KVASIR_ASSIGN_OR_RETURN(template_, ChatTemplate::parse(std::move(given), "chat template"));
    }
    KVASIR_ASSIGN_OR_RETURN(form_,
                            make_conversation_form(*tokenizer_, template_ ? &*template_ : nullptr));
    return form_.get();
  }

 private:
  const Tokenizer* tokenizer_;
  std::string source_;
  std::optional<ChatTemplate> template_;
  std::unique_ptr<ConversationForm> form_;
};

Result<kvasir::FormedPrompt> prompt_for(const std::string& line, Forms& forms) {
  KVASIR_ASSIGN_OR_RETURN(const Json request, Json::parse(line, "request"));
  KVASIR_ASSIGN_OR_RETURN(const ConversationForm* form, forms.of(request));
  return form->encode(messages_of(request), options_of(request));
}

Json answer_to(const std::string& line, const Tokenizer& tokenizer, Forms& forms) {
  const auto prompt = prompt_for(line, forms);
  if (!prompt.ok()) {
    return Json::Object{{"error", prompt.error().message()}, {"field", prompt.error().field}};
  }
  Json::Array tokens;
  for (const int32_t id : prompt->tokens) tokens.emplace_back(int64_t{id});
  return Json::Object{{"tokens", std::move(tokens)},
                      {"text", tokenizer.decode(prompt->tokens)},
                      {"starts_in_reasoning", prompt->starts_in_reasoning}};
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const auto tokenizer = Tokenizer::load(arguments[1]);
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s\n", tokenizer.error().message().c_str());
    return 1;
  }
  Forms forms(*tokenizer);
  for (std::string line; std::getline(std::cin, line);) {
    std::printf("%s\n", answer_to(line, *tokenizer, forms).dump().c_str());
  }
  return 0;
}
