// template_probe: renders what tools/check_templates.py sends.
//
// In: a line of JSON for each conversation, an object with template, messages, tools, options,
// special_tokens, add_generation_prompt and now (seconds since 1970). Out, for each: a line of
// JSON,
// {"segments": [[text, is_literal], ...]} or {"error": message}.
#include <cstdio>
#include <ctime>
#include <iostream>
#include <string>
#include <utility>

#include "base/json.h"
#include "text/chat_template.h"

namespace {

using kvasir::Json;
using kvasir::Result;
using kvasir::text::ChatTemplate;
using kvasir::text::ChatTemplateInput;
using kvasir::text::ChatTemplateSource;
using kvasir::text::jinja::Segment;

Json member(const Json& request, const char* name) {
  const Json* found = request.find(name);
  return found == nullptr ? Json() : *found;
}

ChatTemplateSource source_of(const Json& request) {
  ChatTemplateSource source;
  const Json text_member = member(request, "template");
  if (const std::string* text = text_member.as_string()) source.text = *text;
  const Json tokens = member(request, "special_tokens");
  if (tokens.as_object() != nullptr) {
    for (const auto& [name, text] : *tokens.as_object()) {
      if (text.as_string() != nullptr) source.special_tokens.emplace_back(name, *text.as_string());
    }
  }
  return source;
}

ChatTemplateInput input_of(const Json& request) {
  ChatTemplateInput input;
  input.messages = member(request, "messages");
  input.tools = member(request, "tools");
  input.documents = member(request, "documents");
  input.options = member(request, "options");
  const Json adds_prompt = member(request, "add_generation_prompt");
  input.add_generation_prompt = adds_prompt.as_bool() != nullptr && *adds_prompt.as_bool();
  const Json now = member(request, "now");
  if (now.as_integer() != nullptr) {
    const std::time_t seconds = *now.as_integer();
    std::tm time{};
    gmtime_r(&seconds, &time);
    input.now = time;
  }
  return input;
}

Result<std::vector<Segment>> render(const std::string& line) {
  KVASIR_ASSIGN_OR_RETURN(const Json request, Json::parse(line, "request"));
  KVASIR_ASSIGN_OR_RETURN(const ChatTemplate chat_template,
                          ChatTemplate::parse(source_of(request), "chat template"));
  return chat_template.render(input_of(request));
}

Json answer_to(const std::string& line) {
  const auto segments = render(line);
  if (!segments) return Json::Object{{"error", segments.error().message()}};
  Json::Array pieces;
  for (const Segment& segment : *segments) {
    pieces.emplace_back(Json::Array{segment.text, segment.is_literal});
  }
  return Json::Object{{"segments", std::move(pieces)}};
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::printf("%s\n", answer_to(line).dump().c_str());
  }
  return 0;
}
