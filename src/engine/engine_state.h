// Engine::State and Session::State hold what an Engine and a Session are made of. Only the engine's
// own files see them. An engine's state owns the model, the store's persistence and the buffers of
// a pass; a session's state owns its sequence and logits. One thread at a time.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/grammars.h"
#include "engine/idle_sessions.h"
#include "kv/memory_account.h"
#include "kv/sequence.h"
#include "kvasir/engine.h"
#include "model/model.h"
#include "persist/persistence.h"
#include "persist/remote_chains.h"

namespace kvasir {

namespace text {
class ChatTemplate;
class Tokenizer;
}  // namespace text

// A RemoteFetch is what is being brought for a session that is about to begin. Until the session
// has it, it keeps it from being evicted.
class RemoteFetch {
 public:
  RemoteFetch() = default;
  explicit RemoteFetch(std::shared_ptr<store::remote::Fetch> fetch) : fetch_(std::move(fetch)) {}

  // Whether nobody should wait for it any longer.
  bool is_done() const;
  // Returns when it is done, or that much later.
  void wait(std::chrono::milliseconds patience = std::chrono::hours(1)) const;
  // Of a session of so many tokens that came from the store, those that were brought for it.
  int64_t tokens_of(int64_t session_tokens) const;

 private:
  std::shared_ptr<store::remote::Fetch> fetch_;  // null: nothing is brought
};

struct Engine::State {
  State();
  ~State();

  // A PassInput is the new tokens of one session in a pass.
  struct PassInput {
    Session::State* session;
    std::span<const int32_t> tokens;
    int64_t room_tokens = 0;  // makes room for more: those of the passes that follow too
    model::LogitsOf logits_of = model::LogitsOf::kNone;
    float* logits = nullptr;  // [1 or tokens.size(), vocab]
  };

  // Error: this engine was opened without text.
  Result<const text::Tokenizer*> require_tokenizer() const;
  // Error: an id outside the vocabulary.
  Status check_tokens(std::span<const int32_t> tokens) const;

  // Runs one pass. REQUIRES: the sessions are whole, and pass_tokens() of each allows it. Error: no
  // memory, or damage; the sessions hold the tokens that they held.
  Status run(std::span<const PassInput> inputs);
  // Does what Engine::append_batch says.
  Status append_batch(std::span<const BatchInput> inputs);
  // Checks an append before it begins. Error: a token outside the vocabulary, too little RAM, or
  // rows of the session that damage took cannot be computed again now.
  Status begin_append(Session::State& session, std::span<const int32_t> tokens);
  // Brings back a session that was put aside, or computes again what damage took of one. It holds
  // the tokens that it held. Error: no memory, or damage again; another call may succeed.
  Status make_whole(Session::State& session);
  // Begins to bring what the remote tier has of a prompt that is about to be resumed.
  RemoteFetch begin_fetch(std::span<const int32_t> tokens, const SessionOptions& options);
  // As Engine::resume, with what the store has now.
  Result<Session> resume_session(std::span<const int32_t> tokens, const SessionOptions& options,
                                 const RemoteFetch& fetch);
  // Has the remote tier write now what a session can be continued with. None: there is nothing, or
  // no remote tier.
  std::optional<persist::RemoteChains::Ticket> hand_over(const Session& session);
  // Returns the longest prefix that the store can continue from. Idle sessions make room for it.
  Result<persist::Resumed> resume(const store::Key& root, std::span<const int32_t> tokens,
                                  int64_t length_max);
  // As Session::put_aside.
  bool put_aside(Session::State& session);
  // False: there is none that can be, or sessions are not saved.
  bool put_an_idle_session_aside();
  // Returns what keeps the RAM budget. Null: there is none, and the cache takes what it needs.
  persist::Residency* residency() const;
  // Error: the cache of a session of that many tokens would pass its RAM.
  Status check_ram(int64_t token_count) const;

  std::string model_path;
  std::unique_ptr<model::Model> model;
  Digest256 model_fingerprint{};
  ModelInfo info;
  std::shared_ptr<kv::MemoryAccount> account = std::make_shared<kv::MemoryAccount>();
  std::unique_ptr<text::Tokenizer> tokenizer;  // null: opened without text
  Grammars grammars;
  std::unique_ptr<text::ChatTemplate> chat_template;  // null: the model came without one
  // Of the model's config and of its tokenizer: each ends a text.
  std::vector<int32_t> end_ids;
  std::unique_ptr<persist::Persistence> persistence;  // null: no store
  IdleSessions sessions;                              // all that live

 private:
  // These lists are a pass's. They are kept, so that decoding allocates nothing.
  std::vector<model::Piece> pieces;
  std::vector<persist::Appending> appendings;
  std::vector<kv::Block> state_memory;  // [pieces]
  // These are a batch's.
  struct BatchPart {
    Session::State* session;
    std::span<const int32_t> tokens;  // those still to do, in batch_tokens
    std::span<float> all_logits;      // theirs, where they are wanted
  };
  std::vector<BatchPart> batch;
  std::vector<const Session::State*> batch_sessions;  // by address
  std::vector<int32_t> batch_tokens;
  std::vector<PassInput> batch_pass;

  Status try_pass(std::span<const PassInput> inputs);
  Status make_room(std::span<const PassInput> inputs);
  // Error: an input without tokens, with a session of another engine or one that occurs twice, or
  // more tokens than a pass takes.
  Status check_batch(std::span<const BatchInput> inputs);
  void fill_batch(std::span<const BatchInput> inputs);
  // Runs one pass over as much of each part as it takes. Parts that are done leave the batch.
  Status run_batch_pass();
};

struct Session::State {
  // Returns how many of the `token_count` tokens that an append has still to do go into one pass:
  // no more than pass_tokens_max, and none beyond a boundary whose state will be kept. For example
  // with a store and passes of 256 tokens: of 100 tokens behind 200 others 56 go, up to token 256.
  size_t pass_tokens(size_t token_count) const;
  // Returns the tokens that the session holds, whether their rows are there or lost.
  std::span<const int32_t> tokens() const;
  int64_t length() const { return std::ssize(tokens()); }
  // Gives up what memory the rows have. The tokens stay.
  void lose_rows();
  // False: damage ended a pass in its middle, and the rows are of no further use.
  bool is_whole() const { return sequence && !sequence->is_appending(); }
  // Returns the same tokens, copied where they are the session's own: those move as it grows.
  std::span<const int32_t> standing_tokens(std::span<const int32_t> tokens,
                                           std::vector<int32_t>& copy) const;
  // Returns where a pass writes the newest token's logits. [vocab]
  float* logits_memory();

  Engine::State* engine;
  store::Key root{};  // with a store: what the session's salt makes its chain begin with
  std::optional<kv::Sequence> sequence;       // none: lost, or put aside
  std::optional<persist::Recorder> recorder;  // with a store
  std::vector<float> logits;                  // [vocab] of the newest token
  bool has_logits = false;                    // false: none were computed yet
  std::vector<int32_t> lost_tokens;           // of a sequence that is lost
  bool is_aside = false;                      // it is lost because it was put aside
  ReusedTokens reused = {};                   // of the resume that it began with
};

}  // namespace kvasir
