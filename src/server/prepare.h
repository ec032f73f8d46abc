// These turn what a client sent into what the service computes: prompts as ids, limits, seeds. They
// run on the work queue's threads and use of the engine what any thread may use.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kvasir/messages.h"
#include "kvasir/replay.h"
#include "kvasir/service.h"
#include "server/dialect.h"
#include "server/earlier_prompts.h"
#include "server/server.h"
#include "server/turn_recorder.h"

namespace kvasir::server {

// What is served, once it stands. Immutable but for the service.
struct Served {
  std::unique_ptr<Service> service;
  std::optional<ChatForm> form;                     // none: the model has no chat form
  std::shared_ptr<ReplayBook> book;                 // null: what is said is not kept
  std::shared_ptr<ConversationBook> conversations;  // null likewise
  std::optional<int32_t> reasoning_end;  // the id that ends reasoning, where the model has one
  ServedModel model;
  int64_t since_s = 0;  // Unix time
  std::unique_ptr<EarlierPrompts> earlier = std::make_unique<EarlierPrompts>();
};

// Whose prompts and turns those of a salt are; ids are those of one model.
std::string tenant_of(const Served& served, const std::string& salt);

// How the messages of a call are told.
FormOptions told_form(const Served& served, const Call& call);

// What the model said to requests of that salt; null, or no book: nothing. `repairs` counts what
// clients had changed; may be null. It refers to both.
SaidIds said_ids(const Served& served, const std::string* salt, Repairs* repairs);

// The same for conversations that are beginnings of one another, each turn looked up once.
SaidIds found_once(SaidIds said);

// The exact bytes of one token; it refers to the engine.
std::function<std::string(int32_t id)> token_text_of(const Engine& engine);

struct PreparedPrompt {
  std::vector<int32_t> tokens;
  ReplyKind reply = ReplyKind::kText;
  int64_t opening_tokens = 0;  // the last ones, which open the calls that are said next
  int64_t said_turns = 0;      // told in the ids that the model said
  Repairs repairs;             // of the conversation
};

// Returns the prompts of a call as ids. Earlier turns of the model are told as it said them to
// requests of that salt; null: as they are written. Error: messages that the model's form cannot
// say, ids outside the vocabulary, a model without a chat form.
Result<std::vector<PreparedPrompt>> prepare_prompts(const Served& served, const Call& call,
                                                    const std::string* salt);

// Puts what was said up to the reply that the call goes on from before its messages. What it brings
// itself is what a later call goes on from: that is returned. Error: no such reply is kept.
Result<std::vector<Message>> add_earlier_messages(const Served& served, const std::string& salt,
                                                  Call& call);

// Of the reply to that prompt.
ReplyKind reply_kind(const Call& call, const PreparedPrompt& prompt);

// A prompt that does not fit into the context (kContextLength). None: all do.
std::optional<ApiError> check_context(const Served& served, const Call& call,
                                      const std::vector<PreparedPrompt>& prompts);

// Returns the requests for those prompts, each with as many tokens to answer as were asked for and
// the context leaves. REQUIRES: they fit into it.
std::vector<ServiceRequest> prepare_requests(const Served& served, const Call& call,
                                             std::vector<PreparedPrompt> prompts,
                                             const std::string& salt);

// Returns what hears the answers to those prompts, before they are handed over; nothing where they
// are not kept.
std::vector<TurnRecorder> turn_recorders(const Served& served, const Dialect& dialect,
                                         const Call& call, std::vector<Message> new_messages,
                                         const std::vector<PreparedPrompt>& prompts,
                                         const std::string& salt, const ReplyFacts& facts);

ReplyFacts reply_facts(const Served& served, const Call& call,
                       const std::vector<PreparedPrompt>& prompts);

// None: the model's reasoning ends otherwise than with "</think>".
std::optional<int32_t> reasoning_end_of(const Engine& engine);

// 32 hex digits that nobody can guess.
std::string random_id();

}  // namespace kvasir::server
