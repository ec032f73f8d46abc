// TensorNames are the names under which an architecture's checkpoints keep their tensors. Plain
// values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/decoder/config.h"

namespace kvasir::model::decoder {

// How the rows of a fused projection of queries, keys and values are ordered.
enum class FusedQkv : uint8_t {
  kSeparate,      // three tensors
  kConcatenated,  // all queries, then all keys, then all values
  kByGroup,       // for each key head: its queries, its key, its value
};

// Names of tensors are stems: ".weight" and ".bias" follow. Empty: there is no such tensor.
struct TensorNames {
  std::string_view embedding = "embed_tokens";
  std::string_view positions = "";
  std::string_view norm = "norm";
  std::string_view output = "lm_head";
  std::string_view layer = "layers.";  // the number follows

  // Of a layer.
  std::string_view attention_norm = "input_layernorm";
  std::string_view mlp_norm = "post_attention_layernorm";
  std::string_view attention_output_norm = "";
  std::string_view mlp_output_norm = "";

  FusedQkv fused = FusedQkv::kSeparate;
  std::string_view qkv = "";
  std::string_view query = "self_attn.q_proj";
  std::string_view key = "self_attn.k_proj";
  std::string_view value = "self_attn.v_proj";
  std::string_view output_projection = "self_attn.o_proj";
  std::string_view query_norm = "self_attn.q_norm";
  std::string_view key_norm = "self_attn.k_norm";
  std::string_view sinks = "self_attn.sinks";  // the whole name

  std::string_view gate_up = "";  // both in one, gate rows first
  std::string_view gate = "mlp.gate_proj";
  std::string_view up = "mlp.up_proj";
  std::string_view down = "mlp.down_proj";

  std::string_view router = "mlp.gate";
  std::string_view choice_bias = "mlp.gate.e_score_correction_bias";  // the whole name
  std::string_view experts = "mlp.experts.";                          // the number follows
  std::string_view expert_gate = "gate_proj";
  std::string_view expert_up = "up_proj";
  std::string_view expert_down = "down_proj";
  // The experts of a layer in one tensor each.
  std::string_view gate_stack = "";
  std::string_view up_stack = "";
  std::string_view down_stack = "";
  std::string_view shared_gate = "mlp.shared_experts.gate_proj";
  std::string_view shared_up = "mlp.shared_experts.up_proj";
  std::string_view shared_down = "mlp.shared_experts.down_proj";
  std::string_view shared_weight = "mlp.shared_expert_gate";

  // Of latent attention.
  std::string_view query_a = "self_attn.q_a_proj";
  std::string_view query_a_norm = "self_attn.q_a_layernorm";
  std::string_view query_b = "self_attn.q_b_proj";
  std::string_view latent_row = "self_attn.kv_a_proj_with_mqa";
  std::string_view latent_norm = "self_attn.kv_a_layernorm";
  std::string_view latent_heads = "self_attn.kv_b_proj";  // keys and values of each head
  std::string_view key_stack = "";                        // keys alone, turned: [H, rank, plain]
  std::string_view value_stack = "";                      // [H, value, rank]

  // Of an indexer.
  std::string_view index_query = "self_attn.indexer.wq_b";
  std::string_view index_key = "self_attn.indexer.wk";
  std::string_view index_key_norm = "self_attn.indexer.k_norm";
  std::string_view index_head_weights = "self_attn.indexer.weights_proj";

  // The whole names. LongRoPE: one list for the original context, one for a longer one.
  std::string_view rope_divisors = "";
  std::string_view short_divisors = "";
  std::string_view long_divisors = "";

  bool is_transposed = false;  // matrices lie as [in, out]
};

// Of a checkpoint with that config, in the form that it is stored in.
TensorNames tensor_names_of(const Config& config);

// Returns the name without what stands before the model body; nothing for a tensor that is no part
// of a text model. The scale of an FP8 matrix becomes ".scale", that of
// cached keys ".k_scale", of values ".v_scale".
std::optional<std::string> official_tensor_name(std::string_view stored_name);

// Returns whether a text model does without the tensor: rotary buffers, vision, what quantisers
// measured beside the weights.
bool tensor_is_ignored(std::string_view stored_name);

}  // namespace kvasir::model::decoder
