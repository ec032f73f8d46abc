// A JSON Schema, a zero byte, choices: the grammar of calls with such arguments, as elements and as
// objects, is made or refused with a message, and what it writes is read as whole calls of the
// tool.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "grammar/builder.h"
#include "grammar/calls.h"
#include "grammar/marker.h"
#include "grammar_checks.h"
#include "text/call_reader.h"

namespace {

using namespace kvasir;
using namespace kvasir::grammar;
using text::CallForm;
using text::ReplyText;

constexpr JsonLimits kLimits{.text_bytes_max = size_t{16} << 10};

std::string marked(std::string_view before, std::string_view behind) {
  return std::string(before) + marker(0) + std::string(behind);
}

CallFrame elements() {
  return {.before_name = marked("<", "invoke name=\""),
          .behind_name = "\">\n",
          .behind_arguments = marked("</", "invoke>\n"),
          .closing = marked("</", "tool_calls>"),
          .elements = ElementTexts{.open = marked("<", "parameter name=\""),
                                   .text = "\" string=\"true\">",
                                   .json = "\" string=\"false\">",
                                   .close = marked("</", "parameter>\n")},
          .sign = std::string(1, marker(0))};
}

CallFrame objects() {
  return {.before_name = "<tool_call>\n{\"name\": \"",
          .behind_name = "\", \"arguments\": ",
          .behind_arguments = "}\n</tool_call>",
          .between = "\n",
          .sign = "<tool_call>"};
}

Result<Automaton> automaton_of(const CallFrame& frame, std::string_view text) {
  KVASIR_ASSIGN_OR_RETURN(const Json schema, Json::parse(text, "fuzz", kLimits));
  Builder builder;
  KVASIR_ASSIGN_OR_RETURN(const NodeId arguments, CallArguments(builder, frame).of(&schema));
  return builder.build_of(call_texts(builder, frame, {{"f", arguments}}, {.is_opened = true}));
}

ReplyText read(CallForm form, std::string_view text) {
  const auto reader = text::make_call_reader({.calls = form}, 0);
  ReplyText whole;
  const auto add = [&](const ReplyText& piece) {
    whole.answer += piece.answer;
    whole.calls.insert(whole.calls.end(), piece.calls.begin(), piece.calls.end());
  };
  for (const char byte : text) {
    const bool is_said_by_id = grammar::is_marker(byte);
    add(reader->push({.answer = is_said_by_id ? "｜DSML｜" : std::string(1, byte)}, is_said_by_id));
  }
  add(reader->flush());
  return whole;
}

void check(CallForm form, const CallFrame& frame, std::string_view schema,
           std::string_view choices) {
  Result<Automaton> automaton = automaton_of(frame, schema);
  if (!automaton.ok()) {
    KVASIR_CHECK(!automaton.error().message().empty(), "an error without a message");
    return;
  }
  const std::optional<std::string> text = fuzz::follow(*std::move(automaton), choices, 600);
  if (!text) return;
  const ReplyText whole = read(form, *text);
  KVASIR_CHECK(whole.answer.find_first_not_of('\n') == whole.answer.npos, "calls alone");
  KVASIR_CHECK(!whole.calls.empty() && whole.calls.back().is_over, "a whole call");
  std::string arguments;
  for (const CallPiece& piece : whole.calls) {
    KVASIR_CHECK(piece.name.empty() || piece.name == "f", "its name");
    arguments += piece.arguments;
    if (!piece.is_over) continue;
    const Result<Json> json = Json::parse(arguments, "arguments", {.depth_max = 1000});
    KVASIR_CHECK((json.ok() && json->as_object() != nullptr) || fuzz::may_repeat_names(arguments),
                 "an object");
    arguments.clear();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), input.size());
  const std::string_view schema = input.substr(0, end);
  const std::string_view choices = input.substr(std::min(end + 1, size));
  CallFrame frame = elements();
  check(CallForm::kDeepSeek, frame, schema, choices);
  frame.elements->none = "\n";
  check(CallForm::kDeepSeek41, frame, schema, choices);
  check(CallForm::kTagged, objects(), schema, choices);
  return 0;
}
