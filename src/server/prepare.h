// These turn what a client sent into what the service computes: prompts as ids, limits, seeds. They
// run on the work queue's threads and use of the engine what any thread may use.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kvasir/messages.h"
#include "kvasir/service.h"
#include "server/dialect.h"
#include "server/server.h"

namespace kvasir::server {

// What is served, once it stands. Immutable but for the service.
struct Served {
  std::unique_ptr<Service> service;
  std::optional<ChatForm> form;  // none: the model has no chat form
  ServedModel model;
  int64_t since_s = 0;  // Unix time
};

struct PreparedPrompt {
  std::vector<int32_t> tokens;
  ReplyKind reply = ReplyKind::kText;
};

// Returns the prompts of a call as ids. Error: messages that the model's form cannot say, ids
// outside the vocabulary, a model without a chat form.
Result<std::vector<PreparedPrompt>> prepare_prompts(const Served& served, const Call& call);

// Returns the requests for those prompts, each with as many tokens to answer as were asked for and
// the context leaves. Error: a prompt that does not fit (kContextLength).
std::variant<std::vector<ServiceRequest>, ApiError> prepare_requests(
    const Served& served, const Call& call, std::vector<PreparedPrompt> prompts,
    const std::string& salt);

ReplyFacts reply_facts(const Served& served, const Call& call,
                       const std::vector<PreparedPrompt>& prompts);

// 32 hex digits that nobody can guess.
std::string random_id();

}  // namespace kvasir::server
