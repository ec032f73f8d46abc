// A ModelInfo says what an engine knows of the model that it loaded. Plain values.
#pragma once

#include <cstdint>
#include <string>

namespace kvasir {

struct ModelInfo {
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t layer_count = 0;
  int64_t context_tokens_max = 0;    // what the model was made for, nothing is refused; 0: not said
  uint64_t weight_bytes = 0;         // as stored
  int64_t copied_bytes = 0;          // beside them, what loading decoded or turned round
  int64_t mapped_panel_bytes = 0;    // panels in the file of EngineOptions::panels_folder
  int64_t kv_block_bytes = 0;        // cache of kv_block_tokens consecutive tokens, all layers
  int64_t kv_first_block_bytes = 0;  // of a session's first: rows that are kept whole besides
  int64_t kv_block_tokens = 0;
  int64_t kv_fixed_bytes = 0;  // cache of a session without tokens
  // Equal fingerprints and tokens give equal logits.
  std::string fingerprint;
  int64_t pass_tokens_max = 0;  // EngineOptions::chunk_tokens
  int thread_count = 0;
  const char* instruction_set = "";  // the one in use
  const char* compute = "";          // "int" or "int8" where any product is of integers, else "f32"
};

}  // namespace kvasir
