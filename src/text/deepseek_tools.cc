#include "text/deepseek_tools.h"

#include <string>

#include "base/json.h"
#include "text/conversation_form.h"
#include "text/spaced_json.h"

namespace kvasir::text {
namespace {

// The model was trained with these texts, word by word.
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
constexpr std::string_view kJsonObject =
    "\n\nYou are a helpful assistant designed to output JSON.\n## Response Format:\n\n"
    "Reply with JSON object ONLY.";
constexpr std::string_view kJsonSchema =
    "\n\n## Response Format:\n\nYou MUST strictly adhere to the following schema to reply:\n";

static_assert(kBeforeTools.size() == 892 && kBehindTools.size() == 98);

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

Result<std::string> spaced_schema(const std::string& schema, const std::string& field) {
  KVASIR_ASSIGN_OR_RETURN(const Json parsed, parsed_field(schema, field));
  return spaced_json(parsed);
}

}  // namespace

Status add_tools(std::span<const Tool> tools, std::span<const SpelledMarker> markers,
                 MarkedText& out) {
  if (tools.empty()) return ok_status();
  add_spelled(kBeforeTools, markers, out);
  for (size_t i = 0; i < tools.size(); ++i) {
    const Tool& tool = tools[i];
    std::string parameters = "{}";
    if (!tool.parameters.empty()) {
      KVASIR_ASSIGN_OR_RETURN(parameters, spaced_schema(tool.parameters, parameters_field(i)));
    }
    out.add_text("{\"name\": " + Json(tool.name).dump() + ", \"description\": " +
                 Json(tool.description).dump() + ", \"parameters\": " + parameters + "}\n");
  }
  out.add_text(kBehindTools);
  return ok_status();
}

Status add_answer_format(const FormOptions& options, MarkedText& out) {
  if (options.answer_format == AnswerFormat::kJsonObject) out.add_text(kJsonObject);
  if (options.answer_format != AnswerFormat::kJsonSchema) return ok_status();
  KVASIR_ASSIGN_OR_RETURN(const std::string schema,
                          spaced_schema(options.answer_schema, "answer_schema"));
  out.add_text(kJsonSchema);
  out.add_text(schema);
  return ok_status();
}

}  // namespace kvasir::text
