// What an Engine and a Session are made of: seen by the engine's own files only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kv/memory_account.h"
#include "kv/sequence.h"
#include "kvasir/engine.h"
#include "model/model.h"
#include "persist/persistence.h"
#include "text/tokenizer.h"

namespace kvasir {

struct Engine::State {
  // New tokens of one session in a pass.
  struct PassInput {
    Session::State* session;
    std::span<const int32_t> tokens;
    model::LogitsOf logits_of = model::LogitsOf::kNone;
    float* logits = nullptr;  // [1 or tokens.size(), vocab]
  };

  // Error: this engine was opened without text.
  Result<const text::Tokenizer*> require_tokenizer() const;
  // Error: an id outside the vocabulary.
  Status check_tokens(std::span<const int32_t> tokens) const;

  // REQUIRES: pass_tokens() of each session allow it. Error: the sessions hold what they held, or
  // (rows that cannot be read back, or computed again) are of no further use.
  Status run(std::span<const PassInput> inputs);
  // Null: the cache takes what it needs.
  persist::Residency* residency() const;
  // Error: the cache of a session of that many tokens would pass its RAM.
  Status check_ram(int64_t token_count) const;

  std::string model_path;
  std::unique_ptr<model::Model> model;
  ModelInfo info;
  std::shared_ptr<kv::MemoryAccount> account = std::make_shared<kv::MemoryAccount>();
  std::optional<text::Tokenizer> tokenizer;
  std::unique_ptr<persist::Persistence> persistence;  // null: no store

 private:
  std::vector<model::Piece> pieces;  // of the pass; kept, so that decoding allocates nothing

  Status try_pass(std::span<const PassInput> inputs);
  // Begins the session's sequence anew, with the same tokens.
  Status rebuild(Session::State& session);
};

struct Session::State {
  // How many of the tokens that an append has still to do go into one pass.
  size_t pass_tokens(size_t token_count) const;

  Engine::State* engine;
  kv::Sequence sequence;
  std::optional<persist::Recorder> recorder;  // with a store
  std::vector<float> logits;                  // [vocab] of the newest token; empty before the first
};

}  // namespace kvasir
