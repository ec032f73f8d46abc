#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/dialect.h"
#include "server/dialects/anthropic_error.h"
#include "server/dialects/constraint_fields.h"
#include "server/dialects/messages_input.h"
#include "server/dialects/messages_reply.h"
#include "server/dialects/messages_tools.h"
#include "server/dialects/openai_fields.h"
#include "server/dialects/reasoning_fields.h"
#include "server/dialects/reply_calls.h"
#include "server/dialects/reuse_fields.h"
#include "server/dialects/tool_fields.h"
#include "server/field_reader.h"

namespace kvasir::server {
namespace {

// Fields of this dialect alone that would change the answer and that nothing is done about.
constexpr const char* kIgnoredFields[] = {"mcp_servers", "context_management", "container"};

void read_thinking(const FieldReader& body, Call& call) {
  read_reasoning(body, call.form);
  const auto thinking = body.object("thinking");
  if (!thinking) return;
  if (read_token_count(*thinking, "budget_tokens", 0)) ignore(call, "thinking.budget_tokens");
  if (thinking->string("display") == "omitted") ignore(call, "thinking.display");
}

void read_output_config(const FieldReader& body, Call& call) {
  if (const auto format = body.object("output_format")) read_answer_format(*format, "", call.form);
  read_format(body, "output_format", call.constraint);
  const auto config = body.object("output_config");
  if (!config) return;
  read_effort(*config, "effort", call.form);
  if (const auto format = config->object("format")) read_answer_format(*format, "", call.form);
  read_format(*config, "format", call.constraint);
}

// max_tokens may be left out, since those who only count tokens do so.
Result<Call> read(const Json& json, const Dialect::HeaderOf& header) {
  std::optional<Error> error;
  const FieldReader body(json, "", error);
  Call call;
  read_common_fields(body, header, call);
  require_one_answer(body, call);
  read_stops(body, "stop_sequences", call.options.stop_strings);
  read_messages_input(body, call);
  read_thinking(body, call);
  read_output_config(body, call);
  read_message_tools(body, call);
  call.tokens_max = read_token_count(body, "max_tokens", 1);
  read_diagnostics(body, call);
  for (const char* name : kIgnoredFields) {
    if (body.has(name)) ignore(call, name);
  }
  return checked_call(std::move(call), std::move(error));
}

std::string error_body(const ApiError& error, std::string_view request_id) {
  Json::Object body = anthropic_error(error);
  body.emplace_back("request_id", std::string(request_id));
  return Json(std::move(body)).dump();
}

}  // namespace

const Dialect& messages() {
  static constexpr Dialect kDialect{.name = "messages",
                                    .read = read,
                                    .reply = messages_reply,
                                    .error_body = error_body,
                                    .call_prefix = kAnthropicCallPrefix};
  return kDialect;
}

}  // namespace kvasir::server
