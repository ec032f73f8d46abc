#include "text/call_forms.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace kvasir::text {
namespace {

// Earlier ones go before later ones.
struct Known {
  CallForm form;
  std::vector<std::string_view> spelled;      // by the template, all of them
  std::vector<std::string_view> not_spelled;  // of other forms that are alike
  std::vector<std::string_view> markers;
};

const std::vector<Known>& known_forms() {
  static const std::vector<Known> forms = {
      {CallForm::kDeepSeek41, {"｜DSML｜", " calls>"}, {}, {"｜DSML｜"}},
      {CallForm::kDeepSeek, {"｜DSML｜"}, {}, {"｜DSML｜"}},
      {CallForm::kListed, {"[TOOL_CALLS]"}, {"[ARGS]"}, {"[TOOL_CALLS]"}},
      {CallForm::kNamed, {"[TOOL_CALLS]", "[ARGS]"}, {}, {"[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"}},
      {CallForm::kTagged,
       {"<tool_call>"},
       {"<function=", "<arg_key>"},
       {"<tool_call>", "</tool_call>"}},
      {CallForm::kChannels, {"<|start|>", "<|channel|>", "<|message|>"}, {}, {}},
      {CallForm::kBare,
       {"{\"name\": ", "\"parameters\": "},
       {"<|channel|>", "<tool_call"},
       {"<|python_tag|>"}},
  };
  return forms;
}

}  // namespace

void add_call_form(const ChatTemplate& chat_template, ReplyForm& form) {
  const auto spells = [&](std::string_view text) { return chat_template.spells(text); };
  for (const Known& known : known_forms()) {
    if (!std::ranges::all_of(known.spelled, spells)) continue;
    if (std::ranges::any_of(known.not_spelled, spells)) continue;
    if (known.form == CallForm::kChannels) {
      form.channels = channel_markers(*form.tokenizer);
      if (!form.channels) return;
    }
    form.calls = known.form;
    form.call_markers = marker_ids(*form.tokenizer, known.markers);
    return;
  }
}

}  // namespace kvasir::text
