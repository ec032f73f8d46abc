// An Engine is a loaded model. A Session is one timeline of tokens with its KV cache.
//
//   auto engine = Engine::open({.model_path = "models/kvasir-tiny"});
//   auto session = engine->new_session();
//   session->append(tokens);            // prefill; any number of tokens, any number of calls
//   session->logits();                  // of the newest token
//   auto branch = session->fork();      // shares the past
//
// With a store (EngineOptions::store) sessions outlive the process:
//
//   auto session = engine->resume(tokens);  // holds the longest prefix that can be continued
//   session->append(rest_of_tokens);        // saved in the background as it goes
//   session->mark_resumable();              // a later resume can start here, or just before
//
// The logits of a token depend on the model, the tokens before it, the cache precision and the rows
// made visible: not on the instruction set, on how the tokens were cut into calls, on the thread
// count, on other sessions in a batch, nor on forks or resumes. An Engine and its sessions are used
// from one thread at a time; the engine must outlive its sessions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/cache_size.h"
#include "kvasir/model_info.h"
#include "kvasir/result.h"
#include "kvasir/store.h"
#include "kvasir/store_admin.h"
#include "kvasir/study.h"

namespace kvasir {

// Returns the instruction sets that this build has kernels for, slowest first. A machine may lack
// some of them; it always has "portable".
std::vector<std::string> instruction_sets();

struct EngineOptions {
  // A checkpoint directory, a GGUF file, any part of a split one, or the directory that holds it.
  std::string model_path;
  // Precision of the cache. "native" is as the model's makers fixed it, or bf16 where they did not.
  // The others are "bf16", "f16", "f32", and what docs/precision.md lists, alone or by kind of row
  // and by layer, such as "k=kvarn4-sink1,v=int8,layers 0-1=bf16". What makes no sense for a model
  // is refused.
  std::string kv = "native";
  // A file of calibrate() (kvasir/calibrate.h), for precisions that need one; may be empty.
  std::string kv_data;
  int thread_count = 0;  // 0: one per processor this process may use
  // Binds each thread to a processor of its own for as long as the engine lives, of those that the
  // opening thread may run on: one of each core first. The thread that runs a pass (yours, or a
  // Service's) is bound while it does, and then may run where it could before; where it could not
  // run on the processor that is meant for it, it stays as it is. Two engines bind to the same
  // ones.
  bool pin_threads = false;
  int64_t chunk_tokens = 256;  // tokens per forward pass at most; working memory grows with it
  // How long sessions may become; 0: as long as the model was made for. Models with LongRoPE
  // (Phi-3) have one rope for the context that they were first made for and one for longer ones;
  // this chooses, and caches of the one are not continued with the other. Nothing is refused by it.
  int64_t context_tokens = 0;
  std::string instruction_set = "auto";  // the best; one of instruction_sets(); or "ref"
  std::string compute = "auto";          // int or f32; or "int", "int8", "f32" (docs/numerics.md)
  // A folder where the panels of products of integers are kept in a file, which is mapped: the
  // first engine of a model writes it, later ones start sooner and share its pages
  // (docs/panel_format.md). Empty: each engine packs its own. Bits do not depend on it.
  std::string panels_folder;
  bool needs_text = true;  // false: tokenizer and chat template are not read
  StudyOptions study;
  std::optional<StoreOptions> store;  // none: nothing is read or saved
  // Bytes of RAM that the cache may take at most; 0: as many as it needs. Rows that an indexer
  // picks and that do not fit are read from the store whenever they are attended; sessions that are
  // idle are put aside there, as by Session::put_aside. So a budget needs a store. Bits do not
  // depend on it.
  int64_t ram_bytes = 0;
};

// A Progress is called after each pass of a long append with the tokens done and all. False stops.
using Progress = std::function<bool(int64_t done_tokens, int64_t total_tokens)>;
// A LogitsSink is called for each pass with the logits of its tokens [tokens, vocab]. An error ends
// the append.
using LogitsSink = std::function<Status(std::span<const float> logits)>;

// A ReusedTokens says how many tokens of a resumed session were not computed for it, and whence
// their rows came. Each token is one or the other.
struct ReusedTokens {
  int64_t ram_tokens = 0;     // shared with sessions that were in memory
  int64_t disk_tokens = 0;    // read from the store
  int64_t remote_tokens = 0;  // brought from the remote tier
};

class Session {
 public:
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  int64_t length() const;
  std::span<const int32_t> tokens() const;
  // Returns what Engine::resume found for this session; nothing for a fork. It stays as it was.
  ReusedTokens reused() const;

  // Appends tokens, chunk by chunk. Returns how many were appended: fewer than given only when
  // `progress` said stop. Errors: a token outside the vocabulary (nothing is appended), no memory
  // for the cache, rows that a damaged store took and that cannot be computed again. After an error
  // the session holds the chunks that went through, has the logits of its newest token if it had
  // or got any, and can be appended to again.
  Result<int64_t> append(std::span<const int32_t> tokens, const Progress& progress = {});
  // Appends tokens as append() does, and hands every token's logits to `sink`. Errors: as append(),
  // and those of `sink`.
  Status append_with_logits(std::span<const int32_t> tokens, const LogitsSink& sink);

  // Returns the logits of the newest token. [vocab] REQUIRES: a token went through this session or
  // the one it was forked from. A resume alone computes none, nor does an append that failed at
  // once.
  std::span<const float> logits() const;
  bool has_logits() const;

  // Returns a second session with the same past. The two share blocks that are full. Errors: no
  // memory, or rows that damage took and that cannot be computed again.
  Result<Session> fork() const;

  // Marks the end of a prompt or an answer: a resume may start from the newest boundary (a multiple
  // of kv_block_tokens) before it. generate() and Chat do it themselves. Without a store: nothing.
  void mark_resumable();

  // Gives the memory of the cache back once the store has it. tokens() and logits() stay. The next
  // append or fork reads the rows again and computes those that the store does not have, with the
  // same bits. Returns false, and does nothing, where sessions are not saved.
  bool put_aside();
  // False: it was put aside, or damage took its rows. Its next use reads and computes them, all in
  // one go.
  bool is_in_memory() const;

 private:
  friend class Engine;
  friend class IdleSessions;
  struct State;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A BatchInput is the new tokens for one session of a batch.
struct BatchInput {
  Session* session = nullptr;
  std::span<const int32_t> tokens;
  // Gets the logits of all these tokens besides. [tokens, vocab]; empty: they are not wanted.
  std::span<float> all_logits = {};
};

class Engine {
 public:
  // Opens a model, with its tokenizer and store. Error: its field is "store" where the model is
  // sound and only the store cannot be opened.
  static Result<Engine> open(const EngineOptions& options);
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  const ModelInfo& info() const;
  // Returns what a person should know of how the model was loaded: why panels are in memory though
  // a folder was named for them.
  std::vector<Error> load_notes() const;
  // Returns what this model's cache would take in another precision (EngineOptions::kv). Error: the
  // model cannot have it so.
  Result<CacheSize> cache_size(const std::string& kv) const;
  // Error: an id outside the vocabulary, naming its place. Appending checks the same.
  Status check_tokens(std::span<const int32_t> tokens) const;
  // Returns the bytes of RAM that the cache of one session of that many tokens takes at least
  // (EngineOptions::ram_bytes). 0: this engine has no bound to keep.
  int64_t ram_bytes_min(int64_t token_count) const;
  // Error: that is more than the engine was given.
  Status check_ram(int64_t token_count) const;
  // Returns what names all that the store keeps for this engine's sessions without a salt
  // (StoredRun::root): the model, its precision, the store's salt. Empty without a store.
  std::string store_root() const;
  // Returns a session without tokens. Error: no memory.
  Result<Session> new_session(const SessionOptions& options = {});
  // Returns a session that holds the longest prefix of `tokens`, short of the last one, that the
  // store can continue from; length() says how long. Empty without a store. For example a store
  // that has 1,000 tokens of a prompt: marked at its end, it is continued from token 896 = 7 * 128.
  // Error: no memory.
  Result<Session> resume(std::span<const int32_t> tokens, const SessionOptions& options = {});
  // Returns how many tokens that session would begin with, as far as is known without reading:
  // damage may make it fewer, and what still waits to be saved may make it more. Counts as no use.
  int64_t resumable_tokens(std::span<const int32_t> tokens,
                           const SessionOptions& options = {}) const;
  // Returns how far the store has text that begins so, whether or not a session can go on from
  // there. Nothing without a store. Any thread may ask while the engine works.
  StoredLikeness nearest_stored(std::span<const int32_t> tokens,
                                const SessionOptions& options = {}) const;
  // Returns the StoredRun::key of these tokens; empty without a store or a whole block. Any thread.
  std::string key_of(std::span<const int32_t> tokens, const SessionOptions& options = {}) const;
  // As StoreAdmin's, of the open store; `key` is what key_of() told. Any thread may ask meanwhile.
  Result<ImportReport> export_to(const std::string& key, const std::string& path) const;
  Result<ImportReport> import_from(const std::string& path);
  // Keeps the beginning of `tokens` in a store from being evicted. Errors: no room for that; I/O.
  Status keep(std::span<const int32_t> tokens, const Keep& keep,
              const SessionOptions& options = {});

  // Waits until all that was to be saved is written, and for the remote tier 10 s at most. Error:
  // the first failure to save since the last call; what failed is computed again another time.
  Status flush_store();
  // Returns counts since the store was opened; zeros without a store.
  StoreMetrics store_metrics() const;
  // The same of the remote tier; nothing without one. Any thread.
  RemoteMetrics remote_metrics() const;
  // Returns whether sessions are saved. False: there is no store, or it is only read.
  bool saves() const;
  // Returns what a person should know of the store: why nothing is saved, what is kept and why.
  std::vector<Error> store_notes() const;

  // Appends tokens to several sessions of this engine in one step: each session at most once, and
  // chunk_tokens tokens in all at most. The cache of all of them together fits into ram_bytes, or
  // the step is not begun. After an error each session is as Session::append leaves one.
  Status append_batch(std::span<const BatchInput> inputs);

  // Returns the bytes of cache allocated now, over all sessions. Bytes that forks share count once.
  int64_t kv_bytes() const;
  // Returns the bytes of the buffers that forward passes work in. They grow with chunk_tokens, and
  // where rows are picked with the longest session.
  int64_t pass_buffer_bytes() const;

  // Turns plain text into ids, with BOS before it. The text's own "<｜User｜>" and the like are
  // only text. Error: the engine was opened without a tokenizer.
  Result<std::vector<int32_t>> encode(std::string_view text) const;
  // Does the same, but markers written in the text become their ids, and no BOS is added.
  Result<std::vector<int32_t>> encode_with_markers(std::string_view text) const;
  Result<std::string> decode(std::span<const int32_t> ids) const;
  // Returns the exact bytes of one token; empty for ids without a token. Error: as encode().
  Result<std::string_view> token_bytes(int32_t id) const;

  struct State;
  // Only other parts of the library use it.
  State& state() { return *state_; }

 private:
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvasir
