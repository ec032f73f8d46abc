#include "text/call_frames.h"

#include "text/deepseek_variant.h"

namespace kvasir::text {
namespace {

CallFrame deepseek_frame(const DeepSeekTags& tags) {
  const auto tag = [](const char* opening, std::string_view name, const char* rest) {
    return opening + ("｜DSML｜" + std::string(name)) + rest;
  };
  return {.openings = {tag("\n\n<", tags.block, ">\n")},
          .before_name = tag("<", tags.invoke, " name=\""),
          .behind_name = "\">\n",
          .behind_arguments = tag("</", tags.invoke, ">\n"),
          .closing = tag("</", tags.block, ">"),
          .elements = CallFrame::Elements{.open = tag("<", tags.parameter, " name=\""),
                                          .text = "\" string=\"true\">",
                                          .json = "\" string=\"false\">",
                                          .close = tag("</", tags.parameter, ">\n"),
                                          .none = std::string(tags.no_parameters)},
          .sign = "｜DSML｜"};
}

}  // namespace

std::optional<CallFrame> call_frame_of(const ReplyForm& form) {
  switch (form.calls) {
    case CallForm::kNone:
    // A grammar begins with the reply, and there reasoning begins.
    case CallForm::kChannels:
      return std::nullopt;
    case CallForm::kDeepSeek:
    case CallForm::kDeepSeek41:
      // Their reader looks for the id alone.
      if (form.call_markers.empty()) return std::nullopt;
      return deepseek_frame(deepseek_variant(form.calls).tags);
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

}  // namespace kvasir::text
