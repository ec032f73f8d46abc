// These turn what a client sent into what the service computes: prompts as ids, limits, seeds. They
// run on the work queue's threads and use of the engine what any thread may use.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kvasir/messages.h"
#include "kvasir/replay.h"
#include "kvasir/service.h"
#include "server/dialect.h"
#include "server/server.h"
#include "server/turn_recorder.h"

namespace kvasir::server {

// What is served, once it stands. Immutable but for the service.
struct Served {
  std::unique_ptr<Service> service;
  std::optional<ChatForm> form;      // none: the model has no chat form
  std::shared_ptr<ReplayBook> book;  // null: what is said is not kept
  ServedModel model;
  int64_t since_s = 0;  // Unix time
};

struct PreparedPrompt {
  std::vector<int32_t> tokens;
  ReplyKind reply = ReplyKind::kText;
  int64_t opening_tokens = 0;  // the last ones, which open the calls that are said next
  int64_t said_turns = 0;      // told in the ids that the model said
};

// Returns the prompts of a call as ids. Earlier turns of the model are told as it said them to
// requests of that salt; null: as they are written. Error: messages that the model's form cannot
// say, ids outside the vocabulary, a model without a chat form.
Result<std::vector<PreparedPrompt>> prepare_prompts(const Served& served, const Call& call,
                                                    const std::string* salt);

// Error: a form of the answer beside a demand for calls, of which only one can be met.
Status check_form(Call& call);

// Makes the grammar that the call's constraint or its tools ask for, for its options. Error: one
// that cannot be followed, naming the field.
Status add_grammar(Served& served, Call& call, const std::vector<PreparedPrompt>& prompts);

// Returns the requests for those prompts, each with as many tokens to answer as were asked for and
// the context leaves. Error: a prompt that does not fit (kContextLength).
std::variant<std::vector<ServiceRequest>, ApiError> prepare_requests(
    const Served& served, const Call& call, std::vector<PreparedPrompt> prompts,
    const std::string& salt);

// Returns what hears the answers to those prompts, before they are handed over; nothing where they
// are not kept.
std::vector<TurnRecorder> turn_recorders(const Served& served, const Dialect& dialect,
                                         const Call& call,
                                         const std::vector<PreparedPrompt>& prompts,
                                         const std::string& salt, const ReplyFacts& facts);

ReplyFacts reply_facts(const Served& served, const Call& call,
                       const std::vector<PreparedPrompt>& prompts);

// 32 hex digits that nobody can guess.
std::string random_id();

}  // namespace kvasir::server
