#include "engine/call_frames.h"

#include <string>
#include <string_view>
#include <vector>

#include "grammar/marker.h"
#include "text/tokenizer.h"

namespace kvasir {
namespace {

using grammar::CallFrame;
using text::CallForm;

// Markers are spelled out.
std::optional<CallFrame> spelled_frame_of(CallForm form) {
  switch (form) {
    case CallForm::kNone:
      return std::nullopt;
    case CallForm::kDeepSeek:
      return CallFrame{.openings = {"\n\n<｜DSML｜tool_calls>\n"},
                       .before_name = "<｜DSML｜invoke name=\"",
                       .behind_name = "\">\n",
                       .behind_arguments = "</｜DSML｜invoke>\n",
                       .closing = "</｜DSML｜tool_calls>",
                       .elements = grammar::ElementTexts{.open = "<｜DSML｜parameter name=\"",
                                                         .text = "\" string=\"true\">",
                                                         .json = "\" string=\"false\">",
                                                         .close = "</｜DSML｜parameter>\n"},
                       .sign = "｜DSML｜"};
    case CallForm::kTagged:
      // Behind reasoning models begin a line.
      return CallFrame{.openings = {"", "\n", "\n\n"},
                       .before_name = "<tool_call>\n{\"name\": \"",
                       .behind_name = "\", \"arguments\": ",
                       .behind_arguments = "}\n</tool_call>",
                       .between = "\n",
                       .sign = "<tool_call>"};
    case CallForm::kBare:
      return CallFrame{.openings = {""},
                       .before_name = "{\"name\": \"",
                       .behind_name = "\", \"parameters\": ",
                       .behind_arguments = "}",
                       .between = "; ",
                       .sign = "<|python_tag|>",
                       .begins_with_brace = true};
    case CallForm::kListed:
      return CallFrame{.openings = {"[TOOL_CALLS] [", "[TOOL_CALLS]["},
                       .before_name = "{\"name\": \"",
                       .behind_name = "\", \"arguments\": ",
                       .behind_arguments = "}",
                       .between = ", ",
                       .closing = "]",
                       .sign = "[TOOL_CALLS]"};
    case CallForm::kNamed:
      return CallFrame{.openings = {""},
                       .before_name = "[TOOL_CALLS]",
                       .behind_name = "[ARGS]",
                       .sign = "[TOOL_CALLS]"};
  }
  return std::nullopt;
}

void replace_all(std::string& text, std::string_view spelled, char marker) {
  for (size_t at = 0; (at = text.find(spelled, at)) != text.npos; ++at) {
    text.replace(at, spelled.size(), 1, marker);
  }
}

std::vector<std::string*> texts_of(CallFrame& frame) {
  std::vector<std::string*> texts = {&frame.before_name,      &frame.behind_name,
                                     &frame.behind_arguments, &frame.between,
                                     &frame.closing,          &frame.sign};
  for (std::string& opening : frame.openings) texts.push_back(&opening);
  if (frame.elements) {
    for (std::string* text : {&frame.elements->open, &frame.elements->text, &frame.elements->json,
                              &frame.elements->close}) {
      texts.push_back(text);
    }
  }
  return texts;
}

}  // namespace

std::optional<CallFrame> call_frame_of(const text::ReplyForm& form) {
  std::optional<CallFrame> frame = spelled_frame_of(form.calls);
  if (!frame) return frame;
  // Its reader looks for ids alone.
  if (form.calls == CallForm::kDeepSeek && form.call_markers.empty()) return std::nullopt;
  for (size_t i = 0; i < form.call_markers.size(); ++i) {
    const std::string_view spelled = form.tokenizer->token_bytes(form.call_markers[i]);
    for (std::string* text : texts_of(*frame)) replace_all(*text, spelled, grammar::marker(i));
  }
  return frame;
}

}  // namespace kvasir
