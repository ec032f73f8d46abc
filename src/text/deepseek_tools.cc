#include "text/deepseek_tools.h"

#include <string>
#include <utility>

#include "base/json.h"
#include "text/conversation_form.h"
#include "text/spaced_json.h"

namespace kvasir::text {
namespace {

// The models were trained with these texts, word by word but for the names of the tags: these are
// V4's.
constexpr std::string_view kBeforeTools =
    "\n\n## Tools\n\n"
    "You have access to a set of tools to help answer the user's question. You can invoke tools by "
    "writing a \"<｜DSML｜tool_calls>\" block like the following:\n\n"
    "<｜DSML｜tool_calls>\n"
    "<｜DSML｜invoke name=\"$TOOL_NAME\">\n"
    "<｜DSML｜parameter name=\"$PARAMETER_NAME\" string=\"true|false\">$PARAMETER_VALUE"
    "</｜DSML｜parameter>\n"
    "...\n"
    "</｜DSML｜invoke>\n"
    "<｜DSML｜invoke name=\"$TOOL_NAME2\">\n"
    "...\n"
    "</｜DSML｜invoke>\n"
    "</｜DSML｜tool_calls>\n\n"
    "String parameters should be specified as is and set `string=\"true\"`. For all other types "
    "(numbers, booleans, arrays, objects), pass the value in JSON format and set "
    "`string=\"false\"`.\n\n"
    "If thinking_mode is enabled (triggered by <think>), you MUST output your complete reasoning "
    "inside <think>...</think> BEFORE any tool calls or final response.\n\n"
    "Otherwise, output directly after </think> with tool calls or final response.\n\n"
    "### Available Tool Schemas\n\n";
constexpr std::string_view kBehindTools =
    "\nYou MUST strictly follow the above defined tool name and parameter schemas to invoke tool "
    "calls.\n";
constexpr std::string_view kJsonSchema =
    "\n\n## Response Format:\n\nYou MUST strictly adhere to the following schema to reply:\n";

static_assert(kBeforeTools.size() == 892 && kBehindTools.size() == 98);

std::string before_tools(const DeepSeekTags& tags) {
  std::string text(kBeforeTools);
  for (const auto& [name, told] :
       {std::pair<std::string_view, std::string_view>("tool_calls", tags.block),
        {"invoke", tags.invoke},
        {"parameter", tags.parameter}}) {
    const std::string tag = "｜DSML｜" + std::string(name);
    for (size_t at = 0; (at = text.find(tag, at)) != text.npos;) {
      at += tag.size() - name.size();
      text.replace(at, name.size(), told);
    }
  }
  return text;
}

void add_spelled(std::string_view text, std::span<const SpelledMarker> markers, MarkedText& out) {
  while (!text.empty()) {
    size_t at = text.size();
    const SpelledMarker* first = nullptr;
    for (const SpelledMarker& marker : markers) {
      const size_t found = text.find(marker.spelling);
      if (found >= at) continue;
      at = found;
      first = &marker;
    }
    out.add_text(text.substr(0, at));
    if (first == nullptr) return;
    out.add_marker(first->id);
    text.remove_prefix(at + first->spelling.size());
  }
}

Result<std::string> spaced_schema(const std::string& schema, const std::string& field,
                                  const RealStyle& reals) {
  KVASIR_ASSIGN_OR_RETURN(const Json parsed, parsed_field(schema, field));
  return spaced_json(parsed, reals);
}

}  // namespace

Status add_tools(std::span<const Tool> tools, const DeepSeekVariant& variant,
                 std::span<const SpelledMarker> markers, MarkedText& out) {
  if (tools.empty()) return ok_status();
  add_spelled(before_tools(variant.tags), markers, out);
  for (size_t i = 0; i < tools.size(); ++i) {
    const Tool& tool = tools[i];
    std::string parameters = "{}";
    if (!tool.parameters.empty()) {
      KVASIR_ASSIGN_OR_RETURN(parameters,
                              spaced_schema(tool.parameters, parameters_field(i), variant.reals));
    }
    out.add_text("{\"name\": " + Json(tool.name).dump() + ", \"description\": " +
                 Json(tool.description).dump() + ", \"parameters\": " + parameters + "}\n");
  }
  out.add_text(kBehindTools);
  return ok_status();
}

Status add_answer_format(const FormOptions& options, const DeepSeekVariant& variant,
                         MarkedText& out) {
  if (options.answer_format == AnswerFormat::kJsonObject) out.add_text(variant.json_object);
  if (options.answer_format != AnswerFormat::kJsonSchema) return ok_status();
  KVASIR_ASSIGN_OR_RETURN(const std::string schema,
                          spaced_schema(options.answer_schema, "answer_schema", variant.reals));
  out.add_text(kJsonSchema);
  out.add_text(schema);
  return ok_status();
}

}  // namespace kvasir::text
