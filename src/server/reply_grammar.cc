#include "server/reply_grammar.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.h"
#include "kvasir/grammar.h"

namespace kvasir::server {
namespace {

bool has_tools(const Call& call) {
  return !call.form.tools.empty() && call.form.tool_choice != ToolChoice::kNone;
}

bool demands_calls(const Call& call) {
  return has_tools(call) && call.form.tool_choice != ToolChoice::kAuto;
}

bool has_strict_tools(const Call& call) {
  return has_tools(call) && std::ranges::any_of(call.form.tools, &Tool::is_strict);
}

CallRules call_rules(const Call& call, const PreparedPrompt& prompt) {
  const FormOptions& form = call.form;
  CallRules rules{.tools = form.tools,
                  .are_demanded = demands_calls(call),
                  .calls_max = call.options.calls_max,
                  .is_opened = prompt.opening_tokens > 0};
  if (form.tool_choice != ToolChoice::kNamed) return rules;
  std::erase_if(rules.tools, [&](const Tool& tool) { return tool.name != form.tool_name; });
  rules.calls_max = 1;
  if (!has_schema_of_call(call)) return rules;
  for (Tool& tool : rules.tools) {
    tool.parameters = call.constraint.text;
    tool.is_strict = true;
    tool.field = call.constraint.field;
  }
  return rules;
}

// What is asked for and stays a wish of the model's is said.
Status add_call_grammar(Served& served, Call& call, const PreparedPrompt& prompt) {
  const CallRules rules = call_rules(call, prompt);
  std::shared_ptr<const Grammar> grammar;
  // What is no turn has no calls.
  if (reply_kind(call, prompt) != ReplyKind::kText) {
    Result<std::shared_ptr<const Grammar>> made = call_grammar(served.service->engine(), rules);
    if (!made.ok()) {
      Error error = std::move(made).error();
      // What is said of all of them names none.
      const bool names_tool = std::ranges::count(rules.tools, error.field, &Tool::field) > 0;
      if (!names_tool) error.field = "tools";
      return error;
    }
    grammar = *std::move(made);
  }
  if (grammar == nullptr) {
    call.ignored.emplace_back(rules.are_demanded ? "tool_choice" : "strict");
    return ok_status();
  }
  for (const Tool& tool : rules.tools) {
    if (std::ranges::count(grammar->unfollowed(), tool.name) == 0) continue;
    call.ignored.push_back(tool.field);
  }
  call.options.grammar = std::move(grammar);
  return ok_status();
}

Result<std::shared_ptr<const Grammar>> make_grammar(Engine& engine, const Constraint& wanted) {
  switch (wanted.kind) {
    case Constraint::Kind::kNone:
      return std::shared_ptr<const Grammar>();
    case Constraint::Kind::kJsonObject:
      return json_grammar(engine);
    case Constraint::Kind::kJsonSchema:
      return json_schema_grammar(engine, wanted.text);
    case Constraint::Kind::kRegex:
      return regex_grammar(engine, wanted.text);
    case Constraint::Kind::kChoice:
      return choice_grammar(engine, wanted.texts);
  }
  KVASIR_CHECK(false, "a known kind");
}

}  // namespace

bool has_schema_of_call(const Call& call) {
  return has_tools(call) && call.form.tool_choice == ToolChoice::kNamed &&
         call.constraint.kind == Constraint::Kind::kJsonSchema;
}

// A form goes before tools, of which none can be called then.
Status check_form(Call& call) {
  const bool has_form = call.constraint.kind != Constraint::Kind::kNone;
  if (!has_form || !has_tools(call) || has_schema_of_call(call)) return ok_status();
  if (!demands_calls(call)) {
    call.ignored.emplace_back("tools");
    return ok_status();
  }
  return Error{.kind = ErrorKind::kUsage,
               .what = "a call and an answer of a form cannot both be demanded",
               .field = "tool_choice",
               .expected = "one of them, or a JSON schema beside a named tool"};
}

Status add_grammar(Served& served, Call& call, const std::vector<PreparedPrompt>& prompts) {
  const bool has_form = call.constraint.kind != Constraint::Kind::kNone;
  const bool wants_calls = demands_calls(call) || has_strict_tools(call);
  if (wants_calls && (!has_form || has_schema_of_call(call))) {
    return add_call_grammar(served, call, prompts.front());
  }
  Result<std::shared_ptr<const Grammar>> made =
      make_grammar(served.service->engine(), call.constraint);
  if (made.ok()) {
    call.options.grammar = std::move(made).value();
    return ok_status();
  }
  Error error = std::move(made).error();
  error.field = call.constraint.field;
  return error;
}

}  // namespace kvasir::server
