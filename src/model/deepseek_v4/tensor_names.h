// official_tensor_name turns the spellings under which checkpoints name a tensor into one, the
// official name.
//
// Known spellings are the official one (`layers.0.attn.wq_a.weight`), the same behind `model.`,
// transformers' run-time names (`model.layers.0.self_attn.q_a_proj.weight`), and mixtures of their
// words, which re-exports and transformers' own save_pretrained write. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kvasir::model::deepseek_v4 {

// Returns nothing when the name belongs to no tensor of a model body. Fused experts, which have no
// official name, become `layers.N.ffn.experts.gate_up_proj.weight` and so on.
std::optional<std::string> official_tensor_name(std::string_view stored_name);

// Returns whether the name belongs to a part that a text body does not need: draft stages, vision,
// rotary buffers.
bool tensor_is_ignored(std::string_view stored_name);

// Returns whether a word of a name is the number of a layer or of an expert.
bool is_index(std::string_view word);

}  // namespace kvasir::model::deepseek_v4
