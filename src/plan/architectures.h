// The table of architectures says how the config of each known architecture is read. What is not in
// the table is unknown; nothing is guessed from field names.
//
// Constants of the program; any thread. A config is read in this order: its row of the table, the
// mix of its layers, what attention layers keep of every token, what recurrent layers keep of a
// sequence.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "checkpoint/config_fields.h"
#include "kv/spec.h"
#include "kvasir/plan.h"

namespace kvasir::plan {

enum class LayerRole : uint8_t {
  kFull,
  kWindow,     // the newest `sliding_window` tokens
  kChunk,      // the tokens since the last multiple of `attention_chunk_size`
  kRecurrent,  // a state of fixed size
  kBoth,       // full attention and a state
  kNone,       // neither: no attention, or another layer's cache
};
using LayerMix = std::vector<LayerRole>;

// Defaults are what the reference implementation takes where a config leaves a field out. 0 means
// that there is no default: the field is required, or follows from others.
struct Defaults {
  int64_t layer_count = 0;
  int64_t hidden_size = 0;
  int64_t head_count = 0;
  int64_t kv_head_count = 0;  // 0: as many as heads
  int64_t head_dim = 0;       // 0: hidden size by heads
  int64_t value_dim = 0;      // 0: as the head's
  int64_t window_tokens = 0;
  int64_t context_tokens = 0;
  bool states_scaled_context = false;  // its configs count RoPE scaling in
  int64_t global_head_dim = 0;         // of layers without a window; 0: as the others
  int64_t index_dim = 0;               // of an indexer's keys; 0: it has none unless told
  int64_t index_distance = 1;          // from one layer's indexer to the next
  int64_t attention_width_factor = 1;  // of all heads together, by the hidden size
  int64_t window_head_factor = 1;      // KV heads of layers with a window, by those of the others
  int64_t pattern_layers = 0;          // every so-many-th layer is the other kind
  int64_t shared_layers = 0;           // the last ones, that read another layer's cache
  int64_t state_groups = 1;            // of Mamba-2
};

struct Architecture;

// A Reading refers to a config being read and the model that it fills.
struct Reading {
  ConfigFields& fields;
  const Architecture& architecture;
  Defaults defaults;
  CacheModel& model;
  kv::CacheSpec& cache;  // its layers, which the readers fill with streams and states
};

using ReadMix = LayerMix (*)(Reading& reading, int64_t layer_count);
using ReadAttention = void (*)(Reading& reading, const LayerMix& mix);
using ReadRecurrence = std::vector<kv::State> (*)(Reading& reading);

struct Architecture {
  std::string_view model_types;  // separated by spaces
  ReadMix mix = nullptr;
  ReadAttention attention = nullptr;
  ReadRecurrence recurrence = nullptr;
  Defaults defaults;
  bool holds_latents_in_fp8 = false;  // in its native cache
  bool keeps_cold_latents = false;    // Kvasir runs it, and those that are picked may lie on SSD
};

struct KnownArchitecture {
  const Architecture* row = nullptr;  // null: unknown
  std::string_view model_type;        // as the table has it
};
// Find a row by model_type, or by the name of a class ("Qwen3MoeForCausalLM").
KnownArchitecture find_architecture(std::string_view model_type);
KnownArchitecture find_architecture_of_class(std::string_view class_name);

// Returns a row's defaults, with those that differ between its model types (reference_defaults.cc).
Defaults defaults_of(const Architecture& architecture, std::string_view model_type);

}  // namespace kvasir::plan
