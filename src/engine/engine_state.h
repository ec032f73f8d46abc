// What an Engine and a Session are made of: seen by the engine's own files only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kv/memory_account.h"
#include "kv/sequence.h"
#include "kvasir/engine.h"
#include "model/deepseek_v4/forward.h"
#include "persist/persistence.h"
#include "text/tokenizer.h"

namespace kvasir {

struct Engine::State {
  // Error: this engine was opened without text.
  Result<const text::Tokenizer*> require_tokenizer() const;
  // Error: an id outside the vocabulary.
  Status check_tokens(std::span<const int32_t> tokens) const;

  std::string model_path;
  std::unique_ptr<model::DeepSeekV4> model;
  ModelInfo info;
  std::shared_ptr<kv::MemoryAccount> account = std::make_shared<kv::MemoryAccount>();
  std::optional<text::Tokenizer> tokenizer;
  std::unique_ptr<persist::Persistence> persistence;  // null: no store
};

struct Session::State {
  // How many of the tokens that an append has still to do go into one pass.
  size_t pass_tokens(size_t token_count) const;
  // After every pass.
  Status record();

  Engine::State* engine;
  kv::Sequence sequence;
  std::optional<persist::Recorder> recorder;  // with a store
  std::vector<float> logits;                  // [vocab] of the newest token; empty before the first
};

}  // namespace kvasir
