#include "server/prepare.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>

#include <fmt/format.h>

#include "base/check.h"
#include "kvasir/grammar.h"
#include "server/dialects/reply_calls.h"

namespace kvasir::server {
namespace {

// Where a client names no limit and the model has no context that would be one.
constexpr int64_t kAnswerTokensDefault = 65'536;

void fill_random(void* bytes, size_t count) {
  KVASIR_CHECK(getrandom(bytes, count, 0) == static_cast<ssize_t>(count),
               "the system gives so few random bytes at once");
}

// Ids are those of one model.
std::string tenant_of(const Served& served, const std::string& salt) {
  return served.model.fingerprint + " " + salt;
}

bool has_tools(const Call& call) {
  return !call.form.tools.empty() && call.form.tool_choice != ToolChoice::kNone;
}

bool demands_calls(const Call& call) {
  return has_tools(call) && call.form.tool_choice != ToolChoice::kAuto;
}

// Beside the name of a tool a schema is that of its arguments.
bool has_schema_of_call(const Call& call) {
  return has_tools(call) && call.form.tool_choice == ToolChoice::kNamed &&
         call.constraint.kind == Constraint::Kind::kJsonSchema;
}

Result<PreparedPrompt> prepare_messages(const Served& served, const Call& call,
                                        const std::string* salt) {
  if (!served.form) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "this model has no chat form",
                 .field = "messages",
                 .remedy = "ask for completions of plain text"};
  }
  SaidIds said;
  if (served.book && salt != nullptr) {
    const std::string tenant = tenant_of(served, *salt);
    said.knows = [&served, tenant](const Message& message) {
      return served.book->knows(tenant, message);
    };
    said.find = [&served, tenant](std::span<const int32_t> before, const Message& message) {
      return served.book->find(tenant, before, message);
    };
  }
  FormOptions form = call.form;
  form.keeps_reasoning = served.model.keeps_reasoning;
  if (has_schema_of_call(call)) form.answer_format = AnswerFormat::kText;
  KVASIR_ASSIGN_OR_RETURN(FormedPrompt prompt, served.form->encode(call.messages, form, said));
  return PreparedPrompt{
      .tokens = std::move(prompt.tokens),
      .reply = prompt.starts_in_reasoning ? ReplyKind::kReasoning : ReplyKind::kAnswer,
      .opening_tokens = prompt.opening_tokens,
      .said_turns = prompt.said_turns};
}

Result<PreparedPrompt> prepare_prompt(const Served& served, const Call::TextOrIds& prompt) {
  const Engine& engine = served.service->engine();
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    KVASIR_ASSIGN_OR_RETURN(std::vector<int32_t> tokens, engine.encode(*text));
    return PreparedPrompt{std::move(tokens), ReplyKind::kText};
  }
  const auto& ids = std::get<std::vector<int32_t>>(prompt);
  if (Status checked = engine.check_tokens(ids); !checked.ok()) {
    Error error = std::move(checked).error();
    error.field = "prompt";
    return error;
  }
  return PreparedPrompt{ids, ReplyKind::kText};
}

// A prompt without a token has no logits to go on from.
Status check_not_empty(const std::vector<PreparedPrompt>& prompts) {
  for (const PreparedPrompt& prompt : prompts) {
    if (!prompt.tokens.empty()) continue;
    return Error{.kind = ErrorKind::kUsage, .what = "a prompt without a token", .field = "prompt"};
  }
  return ok_status();
}

// As it was sent: what the tokenizer puts before a text is no part of it.
std::string prompt_text(const Engine& engine, const Call::TextOrIds& prompt) {
  if (const auto* text = std::get_if<std::string>(&prompt)) return *text;
  const Result<std::string> text = engine.decode(std::get<std::vector<int32_t>>(prompt));
  return text.ok() ? *text : std::string();
}

// A turn ends where the model ends it, whatever was asked for. So a reply without an end is no
// turn.
ReplyKind reply_kind(const Call& call, const PreparedPrompt& prompt) {
  return call.options.stops_at_end_of_text ? prompt.reply : ReplyKind::kText;
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

std::string random_id() {
  std::array<uint64_t, 2> bits{};
  fill_random(bits.data(), sizeof bits);
  return fmt::format("{:016x}{:016x}", bits[0], bits[1]);
}

Result<std::vector<PreparedPrompt>> prepare_prompts(const Served& served, const Call& call,
                                                    const std::string* salt) {
  std::vector<PreparedPrompt> prepared;
  if (!call.messages.empty()) {
    KVASIR_ASSIGN_OR_RETURN(PreparedPrompt prompt, prepare_messages(served, call, salt));
    prepared.push_back(std::move(prompt));
  }
  for (const Call::TextOrIds& text : call.prompts) {
    KVASIR_ASSIGN_OR_RETURN(PreparedPrompt prompt, prepare_prompt(served, text));
    prepared.push_back(std::move(prompt));
  }
  KVASIR_RETURN_IF_ERROR(check_not_empty(prepared));
  return prepared;
}

std::variant<std::vector<ServiceRequest>, ApiError> prepare_requests(
    const Served& served, const Call& call, std::vector<PreparedPrompt> prompts,
    const std::string& salt) {
  std::vector<ServiceRequest> requests;
  for (PreparedPrompt& prompt : prompts) {
    const int64_t prompt_tokens = std::ssize(prompt.tokens);
    int64_t tokens_max = call.tokens_max.value_or(kAnswerTokensDefault);
    if (const int64_t context = served.model.context_tokens; context > 0) {
      const int64_t least = tokens_max > 0 ? 1 : 0;
      if (prompt_tokens + least > context) {
        return ApiError{.kind = ApiErrorKind::kContextLength,
                        .param = call.messages.empty() ? "prompt" : "messages",
                        .tokens = prompt_tokens,
                        .tokens_max = context};
      }
      tokens_max = std::min(tokens_max, context - prompt_tokens);
    }
    ServiceRequest request{.prompt = std::move(prompt.tokens),
                           .options = call.options,
                           .reply = reply_kind(call, prompt),
                           .answer_count = call.answer_count,
                           .wants_prompt_logprobs = call.wants_prompt_logprobs,
                           .salt = salt};
    request.options.tokens_max = tokens_max;
    // What is no turn has no calls.
    if (request.reply == ReplyKind::kText) request.options.reads_calls = false;
    if (!call.has_seed) {
      fill_random(&request.options.sampling.seed, sizeof request.options.sampling.seed);
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

std::vector<TurnRecorder> turn_recorders(const Served& served, const Dialect& dialect,
                                         const Call& call,
                                         const std::vector<PreparedPrompt>& prompts,
                                         const std::string& salt, const ReplyFacts& facts) {
  std::vector<TurnRecorder> recorders;
  // A reply that is no turn ends nowhere.
  if (!served.book || call.messages.empty() || !call.options.stops_at_end_of_text) return recorders;
  const auto id_of = [prefix = dialect.call_prefix, id = facts.id](int64_t answer, int64_t index) {
    return call_id(prefix, id, answer, index);
  };
  for (const PreparedPrompt& prompt : prompts) {
    recorders.emplace_back(RecordedPrompt{.book = served.book,
                                          .tenant = tenant_of(served, salt),
                                          .ids = prompt.tokens,
                                          .opening_tokens = prompt.opening_tokens,
                                          .name = facts.id,
                                          .call_id = id_of},
                           call.answer_count);
  }
  return recorders;
}

ReplyFacts reply_facts(const Served& served, const Call& call,
                       const std::vector<PreparedPrompt>& prompts) {
  Engine& engine = served.service->engine();
  ReplyFacts facts{.id = random_id(),
                   .created_s = static_cast<int64_t>(std::time(nullptr)),
                   .model = served.model.name,
                   .fingerprint = served.model.fingerprint};
  facts.token_text = [&engine](int32_t id) {
    const Result<std::string_view> bytes = engine.token_bytes(id);
    return bytes.ok() ? std::string(*bytes) : std::string();
  };
  for (const PreparedPrompt& prompt : prompts) {
    facts.prompt_tokens.push_back(std::ssize(prompt.tokens));
  }
  if (!call.wants_prompt_texts) return facts;
  for (const Call::TextOrIds& prompt : call.prompts) {
    facts.prompt_texts.push_back(prompt_text(engine, prompt));
  }
  return facts;
}

}  // namespace kvasir::server
