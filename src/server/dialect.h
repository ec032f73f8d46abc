// A Dialect is one way of asking for answers over HTTP: Chat Completions, Completions, Responses,
// Messages. It reads a body into a Call and writes what happens to it as the client expects. It
// knows no model, no socket and no thread, so its tests are bytes in, bytes out.
//
//   Result<Call> call = dialect.read(body);
//   std::unique_ptr<Reply> reply = dialect.reply(*call, facts);
//   send(reply->begin()); for each event: send(reply->event(choice, event));
//   send(reply->finish(usage));
//
// A streamed reply returns bytes all along; a whole one returns nothing before finish().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "kvasir/generate.h"
#include "kvasir/messages.h"
#include "kvasir/result.h"
#include "kvasir/scheduler.h"
#include "server/api_error.h"
#include "server/constraint.h"
#include "server/repairs.h"
#include "server/reuse_report.h"

namespace kvasir::server {

// A CacheMark says that what stands before its place is to be kept for a while.
struct CacheMark {
  int64_t message_count = 0;  // before it; 0: what stands before all turns
  int64_t seconds = 0;
};

// What a request asks for, whatever its dialect. Numbers are in range; ids are not checked yet.
struct Call {
  // Either messages, or one or more prompts.
  std::vector<Message> messages;
  FormOptions form;
  using TextOrIds = std::variant<std::string, std::vector<int32_t>>;
  std::vector<TextOrIds> prompts;

  GenerateOptions options;            // tokens_max and grammar are not used
  Constraint constraint;              // of each answer's text
  bool has_seed = false;              // options.sampling.seed was asked for; no: any will do
  std::optional<int64_t> tokens_max;  // the context may leave fewer; none: all of these
  int answer_count = 1;               // of each prompt
  bool wants_proof = false;           // Proof
  bool streams = false;
  bool wants_prompt_logprobs = false;
  bool wants_prompt_texts = false;  // ReplyFacts::prompt_texts
  std::string salt;                 // cache_salt
  std::string conversation;         // prompt_cache_key, session ids
  bool wants_diagnostics = false;   // of what is reused, where they are not always told
  std::string compared_with;        // id of an earlier reply: what of its prompt is reused?
  // Id of the reply that it goes on from: what was said up to there stands before the messages, but
  // behind those that `leads` counts. Empty: it brings all that was said.
  std::string previous;
  int64_t leads = 0;             // messages that are of this call alone: instructions
  bool keeps_messages = false;   // for calls that go on from its reply
  std::string project;           // whose beginning is to be kept; empty: none
  std::vector<CacheMark> marks;  // what the client wants kept
  Repairs repairs;
  std::vector<std::string> ignored;  // what was asked for and is not done, for a header: "tools"
  // What the dialect alone needs to know again when it writes: echoes of the request and so on.
  std::shared_ptr<const void> own;
};

struct ReplyFacts {
  std::string id;         // 32 hex digits; a dialect puts its own prefix before it
  int64_t created_s = 0;  // Unix time
  std::string model;      // the true one
  std::string
      fingerprint;  // of model and precision: equal fingerprint, seed and prompt, equal bits
  std::vector<int64_t> prompt_tokens;                 // of each prompt
  std::function<std::string(int32_t id)> token_text;  // exact bytes of one token
  std::vector<std::string> prompt_texts;              // with Call::wants_prompt_texts
  bool wants_diagnostics = false;                     // Call's
  std::optional<PromptComparison> comparison;         // of the one prompt; none: there are several
};

// Where a request stands while it waits.
struct ReplyProgress {
  int64_t queue_place = 0;
  int64_t done_tokens = 0;  // of the prompts
  int64_t total_tokens = 0;
  int64_t reused_tokens = 0;
  double elapsed_ms = 0;
};

// A Proof says what came of an answer that was computed once more, with nothing reused.
struct Proof {
  bool has_same_bits = false;  // of the logits of every step
  std::string failure;         // why it could not be computed; empty: it was
  int64_t steps = 0;
  int64_t reused_tokens = 0;  // of the answer that the client got
  std::string digest;         // of the logits of all its steps, SHA-256 in hex
};

// What a reply ends with.
struct ReplyEnd {
  ReplyEnd(const ServiceUsage& used) : usage(used) {}  // NOLINT: most end with no more
  ServiceUsage usage;
  std::optional<Proof> proof;
};

class Reply {
 public:
  virtual ~Reply() = default;

  // At once, before the request has begun to run.
  virtual std::string begin() = 0;
  // kStarted, kPiece and kEnded of answer `choice`, counted over all prompts: prompt * answers +
  // answer. kStarted comes once a prompt, with the number of its first answer.
  virtual std::string event(int64_t choice, const ServiceEvent& event) = 0;
  // After all choices have ended; usage over all prompts.
  virtual std::string finish(const ReplyEnd& end) = 0;
  // Keeps the client waiting. Streamed replies only.
  virtual std::string heartbeat(const ReplyProgress& progress) = 0;
  // Instead of finish(), when the status line is spent. Streamed replies only.
  virtual std::string fail(const ApiError& error) = 0;
};

struct Dialect {
  const char* name;  // "chat_completions", in metrics and logs
  // `header` gives a request's header or null.
  using HeaderOf = std::function<const std::string*(std::string_view name)>;
  Result<Call> (*read)(const Json& body, const HeaderOf& header);
  std::unique_ptr<Reply> (*reply)(const Call& call, ReplyFacts facts);
  // Body of an error response.
  std::string (*error_body)(const ApiError& error, std::string_view request_id);
  std::string_view call_prefix = {};  // of the ids of tool calls; empty: it makes none
};

const Dialect& chat_completions();
const Dialect& completions();
const Dialect& responses();
const Dialect& messages();

}  // namespace kvasir::server
