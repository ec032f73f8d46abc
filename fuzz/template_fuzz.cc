// A chat template, a zero byte, variables as a JSON object: whatever the template does to them, it
// ends within its limits, and no byte of a variable counts as the template's own.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "text/chat_template.h"

namespace {

using kvasir::Json;
using kvasir::text::ChatTemplate;
using kvasir::text::ChatTemplateInput;
using kvasir::text::jinja::Segment;
using kvasir::text::jinja::TemplateLimits;

constexpr TemplateLimits kLimits{
    .steps_max = 20'000, .text_bytes_max = size_t{1} << 20, .all_texts_bytes_max = size_t{8} << 20};
// No template that holds this byte is tried, so it can only come from a variable.
constexpr char kMark = '\x01';

// Every text gets the mark in front.
Json with_marks(const Json& json) {
  if (const std::string* text = json.as_string()) return kMark + *text;
  if (const Json::Array* array = json.as_array()) {
    Json::Array marked;
    for (const Json& item : *array) marked.push_back(with_marks(item));
    return marked;
  }
  if (const Json::Object* object = json.as_object()) {
    Json::Object marked;
    for (const auto& [name, member] : *object) marked.emplace_back(name, with_marks(member));
    return marked;
  }
  return json;
}

Json default_messages() {
  return Json::Array{
      Json::Object{{"role", "user"}, {"content", std::string(1, kMark) + "<|end|>"}}};
}

ChatTemplateInput input_from(std::string_view text) {
  ChatTemplateInput input;
  input.add_generation_prompt = true;
  input.messages = default_messages();
  input.now = std::tm{};
  const auto variables = Json::parse(text, "fuzz", {.text_bytes_max = 4096});
  if (!variables || variables->as_object() == nullptr) return input;
  input.options = with_marks(*variables);
  if (const Json* messages = input.options.find("messages")) input.messages = *messages;
  if (const Json* tools = input.options.find("tools")) input.tools = *tools;
  return input;
}

void check_origins(const std::vector<Segment>& segments) {
  for (size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    KVASIR_CHECK(!segment.text.empty(), "an empty segment");
    KVASIR_CHECK(!segment.is_literal || segment.text.find(kMark) == std::string::npos,
                 "a variable counts as the template's own");
    KVASIR_CHECK(i == 0 || segments[i - 1].is_literal != segment.is_literal,
                 "neighbours have one origin");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), input.size());
  const std::string_view source = input.substr(0, end);
  // An escape could write the mark too.
  const bool may_write_mark =
      source.find(kMark) != std::string_view::npos || source.find('\\') != std::string_view::npos;
  const auto made = ChatTemplate::parse({.text = std::string(source)}, "fuzz", kLimits);
  if (!made) {
    KVASIR_CHECK(!made.error().message().empty(), "an error without a message");
    return 0;
  }
  const auto segments = made->render(input_from(input.substr(std::min(end + 1, input.size()))));
  if (segments.ok() && !may_write_mark) check_origins(*segments);
  return 0;
}
