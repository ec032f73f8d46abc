#include "server/dialects/messages_tools.h"

#include <string>

#include "server/dialects/cache_marks.h"
#include "server/dialects/tool_fields.h"

namespace kvasir::server {
namespace {

void read_list(const FieldReader& body, Call& call) {
  const Json::Array* list = body.array("tools", kToolsMax);
  ToolReader tools(call);
  for (size_t i = 0; list != nullptr && i < list->size() && !body.failed(); ++i) {
    const FieldReader tool = body.element("tools", (*list)[i], i);
    if (body.failed()) return;
    const bool is_ours = tool.string("type").value_or("custom") == "custom";
    read_cache_mark(tool, "cache_control", 0, call);
    is_ours ? tools.add_function(tool, "input_schema") : tools.skip();
  }
}

void read_choice(const FieldReader& choice, FormOptions& form) {
  const std::string type = choice.string("type").value_or("");
  if (type == "none") {
    form.tool_choice = ToolChoice::kNone;
  } else if (type == "any") {
    form.tool_choice = ToolChoice::kRequired;
  } else if (type == "tool") {
    choose_tool(choice, choice.string("name").value_or(""), form);
  } else if (type != "auto") {
    choice.refuse("type", "unknown choice", "auto, any, tool or none");
  }
}

}  // namespace

void read_message_tools(const FieldReader& body, Call& call) {
  read_list(body, call);
  bool is_parallel = true;
  if (const auto choice = body.object("tool_choice")) {
    read_choice(*choice, call.form);
    is_parallel = !choice->boolean("disable_parallel_tool_use").value_or(false);
  }
  settle_tools(body, "tool_choice", is_parallel, call);
}

}  // namespace kvasir::server
