#include "server/explain_prompt.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "server/compare_prompt.h"
#include "server/guard.h"
#include "server/kept_beginnings.h"

namespace kvasir::server {
namespace {

constexpr int64_t kShownIds = 16;

// Messages say more of one in Anthropic's form than in OpenAI's only where they have to.
bool has_anthropic_blocks(const Json& messages) {
  if (messages.as_array() == nullptr) return false;
  for (const Json& message : *messages.as_array()) {
    const Json* content = message.find("content");
    if (content == nullptr || content->as_array() == nullptr) continue;
    for (const Json& block : *content->as_array()) {
      const Json* type = block.find("type");
      const std::string* name = type == nullptr ? nullptr : type->as_string();
      if (name == nullptr) continue;
      if (*name == "tool_use" || *name == "tool_result" || *name == "thinking") return true;
    }
  }
  return false;
}

const Dialect& dialect_of(const Json& body) {
  if (body.find("input") != nullptr) return responses();
  const Json* prompt_messages = body.find("messages");
  if (prompt_messages == nullptr) return completions();
  const bool is_anthropic = body.find("system") != nullptr ||
                            body.find("stop_sequences") != nullptr ||
                            has_anthropic_blocks(*prompt_messages);
  return is_anthropic ? messages() : chat_completions();
}

struct ReadRequest {
  Call call;
  const char* dialect = "text";
};

Result<ReadRequest> read_request(const std::string& request, const std::string& where) {
  const size_t begin = std::min(request.find_first_not_of(" \t\r\n"), request.size());
  if (!std::string_view(request).substr(begin).starts_with('{')) {
    ReadRequest plain;
    plain.call.prompts.emplace_back(request);
    return plain;
  }
  KVASIR_ASSIGN_OR_RETURN(const Json body, Json::parse(request, where));
  const Dialect& dialect = dialect_of(body);
  KVASIR_ASSIGN_OR_RETURN(Call call, dialect.read(body, [](auto) { return nullptr; }));
  return ReadRequest{std::move(call), dialect.name};
}

// Of a caller who is not kept apart.
std::string plain_salt(const Call& call) {
  return Guard(GuardOptions{}).salt_for(HttpRequest{}, call.salt);
}

}  // namespace

Result<PromptExplanation> explain_prompt(Served& served, const std::string& request,
                                         const std::string& where) {
  KVASIR_ASSIGN_OR_RETURN(ReadRequest read, read_request(request, where));
  const std::string salt = plain_salt(read.call);
  KVASIR_RETURN_IF_ERROR(add_earlier_messages(served, salt, read.call));
  KVASIR_ASSIGN_OR_RETURN(const std::vector<PreparedPrompt> prompts,
                          prepare_prompts(served, read.call, &salt));
  const PreparedPrompt& prompt = prompts.front();
  const PromptComparison comparison = compare_prompt(served, read.call, prompt, salt);
  Engine& engine = served.service->engine();
  PromptExplanation explanation{
      .dialect = read.dialect,
      .prompt_tokens = std::ssize(prompt.tokens),
      .seen_tokens = comparison.same_ids,
      .reusable_tokens = engine.resumable_tokens(prompt.tokens, {.salt = salt}),
      .place = comparison.place};
  if (!comparison.place) return explanation;
  const int64_t begin = std::max<int64_t>(comparison.same_ids - kShownIds, 0);
  for (int64_t i = begin; i < comparison.same_ids; ++i) {
    const auto bytes = engine.token_bytes(prompt.tokens[static_cast<size_t>(i)]);
    if (bytes.ok()) explanation.before_place += *bytes;
  }
  return explanation;
}

Result<ServiceRequest> warming_request(const Served& served, const std::string& request,
                                       const std::string& where) {
  constexpr int kLowestPriority = -1000;
  KVASIR_ASSIGN_OR_RETURN(const ReadRequest read, read_request(request, where));
  if (read.call.messages.empty()) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "no request with messages",
                 .where = where,
                 .expected = "the body of a chat request"};
  }
  const std::string salt = plain_salt(read.call);
  KVASIR_ASSIGN_OR_RETURN(std::vector<PreparedPrompt> prompts,
                          prepare_prompts(served, read.call, &salt));
  std::vector<int32_t> tokens = std::move(prompts.front().tokens);
  prompts.front().tokens = tokens;
  tokens.resize(static_cast<size_t>(front_tokens(served, read.call, prompts.front())));
  if (tokens.empty())
    return Error{.kind = ErrorKind::kUsage, .what = "nothing to compute ahead", .where = where};
  return ServiceRequest{.prompt = std::move(tokens),
                        .options = {.tokens_max = 0},
                        .salt = salt,
                        .priority = kLowestPriority};
}

}  // namespace kvasir::server
