#include "server/prepare.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "base/check.h"
#include "server/dialects/reply_calls.h"
#include "server/reply_grammar.h"

namespace kvasir::server {
namespace {

// Where a client names no limit and the model has no context that would be one.
constexpr int64_t kAnswerTokensDefault = 65'536;

void fill_random(void* bytes, size_t count) {
  KVASIR_CHECK(getrandom(bytes, count, 0) == static_cast<ssize_t>(count),
               "the system gives so few random bytes at once");
}

// What the client had made of a turn that is told as it was said.
void count_repairs(const Served& served, const std::string& tenant, const Message& message,
                   std::span<const int32_t> ids, Repairs& repairs) {
  // Where it ends at once there was none.
  const auto end = served.reasoning_end ? std::ranges::find(ids, *served.reasoning_end) : ids.end();
  const bool has_reasoning = end != ids.end() && end != ids.begin();
  if (has_reasoning && message.reasoning.empty()) repairs.add(Repair::kReasoning);
  if (!served.book->told_so(tenant, message)) repairs.add(Repair::kWriting);
}

Result<PreparedPrompt> prepare_messages(const Served& served, const Call& call,
                                        const std::string* salt) {
  if (!served.form) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "this model has no chat form",
                 .field = "messages",
                 .remedy = "ask for completions of plain text"};
  }
  Repairs repairs = call.repairs;
  repairs.add(Repair::kSystem, system_messages_in_the_middle(call.messages));
  KVASIR_ASSIGN_OR_RETURN(FormedPrompt prompt,
                          served.form->encode(call.messages, told_form(served, call),
                                              said_ids(served, salt, &repairs)));
  return PreparedPrompt{
      .tokens = std::move(prompt.tokens),
      .reply = prompt.starts_in_reasoning ? ReplyKind::kReasoning : ReplyKind::kAnswer,
      .opening_tokens = prompt.opening_tokens,
      .said_turns = prompt.said_turns,
      .repairs = repairs};
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

}  // namespace

// A turn ends where the model ends it, whatever was asked for. So a reply without an end is no
// turn.
ReplyKind reply_kind(const Call& call, const PreparedPrompt& prompt) {
  return call.options.stops_at_end_of_text ? prompt.reply : ReplyKind::kText;
}

std::string tenant_of(const Served& served, const std::string& salt) {
  return served.model.fingerprint + " " + salt;
}

FormOptions told_form(const Served& served, const Call& call) {
  FormOptions form = call.form;
  form.keeps_reasoning = served.model.keeps_reasoning;
  if (has_schema_of_call(call)) form.answer_format = AnswerFormat::kText;
  return form;
}

SaidIds said_ids(const Served& served, const std::string* salt, Repairs* repairs) {
  if (!served.book || salt == nullptr) return {};
  const std::string tenant = tenant_of(served, *salt);
  const auto find = [&served, tenant, repairs](std::span<const int32_t> before,
                                               const Message& message) {
    std::optional<std::vector<int32_t>> ids = served.book->find(tenant, before, message);
    if (ids && repairs != nullptr) count_repairs(served, tenant, message, *ids, *repairs);
    return ids;
  };
  const auto knows = [&served, tenant](const Message& message) {
    return served.book->knows(tenant, message);
  };
  return {.knows = knows, .find = find};
}

SaidIds found_once(SaidIds said) {
  if (!said.find) return said;
  using Place = std::tuple<const Message*, size_t, int32_t>;
  using Ids = std::optional<std::vector<int32_t>>;
  auto found = std::make_shared<std::map<Place, Ids>>();
  said.find = [find = std::move(said.find), found](std::span<const int32_t> before,
                                                   const Message& message) {
    const auto [place, is_new] = found->try_emplace(Place(&message, before.size(), before.back()));
    if (is_new) place->second = find(before, message);
    return place->second;
  };
  return said;
}

std::function<std::string(int32_t id)> token_text_of(const Engine& engine) {
  return [&engine](int32_t id) {
    const Result<std::string_view> bytes = engine.token_bytes(id);
    return bytes.ok() ? std::string(*bytes) : std::string();
  };
}

Result<std::vector<Message>> add_earlier_messages(const Served& served, const std::string& salt,
                                                  Call& call) {
  const auto own = call.messages.begin() + static_cast<ptrdiff_t>(call.leads);
  std::vector<Message> brought;
  if (call.keeps_messages) brought.assign(own, call.messages.end());
  if (call.previous.empty()) return brought;
  std::optional<std::vector<Message>> earlier;
  if (served.conversations) {
    earlier = served.conversations->conversation(tenant_of(served, salt), call.previous);
  }
  if (!earlier) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "no such response is kept",
                 .field = "previous_response_id",
                 .expected = "the id of a response with store, or the whole conversation"};
  }
  for (CacheMark& mark : call.marks) {
    if (mark.message_count > call.leads) mark.message_count += std::ssize(*earlier);
  }
  call.messages.insert(own, std::make_move_iterator(earlier->begin()),
                       std::make_move_iterator(earlier->end()));
  return brought;
}

std::optional<int32_t> reasoning_end_of(const Engine& engine) {
  const Result<std::vector<int32_t>> ids = engine.encode_with_markers("</think>");
  if (!ids.ok() || ids->size() != 1) return std::nullopt;
  return ids->front();
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

std::optional<ApiError> check_context(const Served& served, const Call& call,
                                      const std::vector<PreparedPrompt>& prompts) {
  const int64_t context = served.model.context_tokens;
  const int64_t least = call.tokens_max.value_or(kAnswerTokensDefault) > 0 ? 1 : 0;
  for (const PreparedPrompt& prompt : prompts) {
    if (context == 0 || std::ssize(prompt.tokens) + least <= context) continue;
    return ApiError{.kind = ApiErrorKind::kContextLength,
                    .param = call.messages.empty() ? "prompt" : "messages",
                    .tokens = std::ssize(prompt.tokens),
                    .tokens_max = context};
  }
  return std::nullopt;
}

std::vector<ServiceRequest> prepare_requests(const Served& served, const Call& call,
                                             std::vector<PreparedPrompt> prompts,
                                             const std::string& salt) {
  std::vector<ServiceRequest> requests;
  for (PreparedPrompt& prompt : prompts) {
    int64_t tokens_max = call.tokens_max.value_or(kAnswerTokensDefault);
    if (const int64_t context = served.model.context_tokens; context > 0) {
      tokens_max = std::min(tokens_max, context - std::ssize(prompt.tokens));
    }
    ServiceRequest request{.prompt = std::move(prompt.tokens),
                           .options = call.options,
                           .reply = reply_kind(call, prompt),
                           .answer_count = call.answer_count,
                           .wants_prompt_logprobs = call.wants_prompt_logprobs,
                           .digests_logits = call.wants_proof,
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
                                         const Call& call, std::vector<Message> new_messages,
                                         const std::vector<PreparedPrompt>& prompts,
                                         const std::string& salt, const ReplyFacts& facts) {
  std::vector<TurnRecorder> recorders;
  // A reply that is no turn ends nowhere.
  if (!served.book || call.messages.empty() || !call.options.stops_at_end_of_text) return recorders;
  const auto id_of = [prefix = dialect.call_prefix, id = facts.id](int64_t answer, int64_t index) {
    return call_id(prefix, id, answer, index);
  };
  const auto key_of = [&engine = served.service->engine(), salt](std::span<const int32_t> ids) {
    return engine.key_of(ids, {.salt = salt});
  };
  KeptReply kept{.id = facts.id, .session = call.conversation, .previous = call.previous};
  if (call.keeps_messages) kept.messages = std::move(new_messages);
  // Messages make one prompt.
  recorders.emplace_back(RecordedPrompt{.book = served.book,
                                        .tenant = tenant_of(served, salt),
                                        .ids = prompts.front().tokens,
                                        .opening_tokens = prompts.front().opening_tokens,
                                        .name = facts.id,
                                        .call_id = id_of,
                                        .conversations = served.conversations,
                                        .kept = std::move(kept),
                                        .key_of = key_of},
                         call.answer_count);
  return recorders;
}

ReplyFacts reply_facts(const Served& served, const Call& call,
                       const std::vector<PreparedPrompt>& prompts) {
  Engine& engine = served.service->engine();
  ReplyFacts facts{.id = random_id(),
                   .created_s = static_cast<int64_t>(std::time(nullptr)),
                   .model = served.model.name,
                   .fingerprint = served.model.fingerprint,
                   .wants_diagnostics = call.wants_diagnostics};
  facts.token_text = token_text_of(engine);
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
