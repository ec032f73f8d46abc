#include "text/call_frames.h"

namespace kvasir::text {

std::optional<CallFrame> call_frame_of(const ReplyForm& form) {
  switch (form.calls) {
    case CallForm::kNone:
      return std::nullopt;
    case CallForm::kDeepSeek:
      // Its reader looks for the id alone.
      if (form.call_markers.empty()) return std::nullopt;
      return CallFrame{.openings = {"\n\n<｜DSML｜tool_calls>\n"},
                       .before_name = "<｜DSML｜invoke name=\"",
                       .behind_name = "\">\n",
                       .behind_arguments = "</｜DSML｜invoke>\n",
                       .closing = "</｜DSML｜tool_calls>",
                       .elements = CallFrame::Elements{.open = "<｜DSML｜parameter name=\"",
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

}  // namespace kvasir::text
