// These functions read the fields of a config: the mix of layers, attention caches, recurrent
// states. The rows of the table of architectures name them. Failures go to reading.fields.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <vector>

#include "plan/architectures.h"

namespace kvasir::plan {

// Far above every published model, and low enough that no product of a few leaves int64.
inline constexpr int64_t kLayersMax = int64_t{1} << 12;
inline constexpr int64_t kHeadsMax = int64_t{1} << 14;
inline constexpr int64_t kDimMax = int64_t{1} << 16;
inline constexpr int64_t kWidthMax = int64_t{1} << 20;
inline constexpr int64_t kTokensMax = int64_t{1} << 40;

int64_t read_layer_count(Reading& reading);

// Returns the role of "full_attention", "mamba" and the like; null: not known.
std::optional<LayerRole> role_of_name(const Json& name);

// Returns which of the first layer_count items of a list are marked. `is_marked` says null of an
// item that means nothing to it.
std::vector<bool> marked_layers(ConfigFields& fields, std::string_view field, int64_t layer_count,
                                const std::function<std::optional<bool>(const Json&)>& is_marked);
// Refuses a mix with layers of a kind that the reader does not know how to hold.
void expect_roles(Reading& reading, const LayerMix& mix, std::initializer_list<LayerRole> known);

// ---- the mix of layers (layer_mix.cc) -----------------------------------------------------------

// Returns the list that a config states (layer_types and its kin). Without one: the mix that the
// architecture then has.
LayerMix read_mix(Reading& reading, int64_t layer_count);

LayerMix all_full(Reading& reading, int64_t layer_count);
LayerMix all_recurrent(Reading& reading, int64_t layer_count);
LayerMix all_both(Reading& reading, int64_t layer_count);
// Every layer has a window when the config states one.
LayerMix window_if_stated(Reading& reading, int64_t layer_count);
// Layers from max_window_layers on have one, if use_sliding_window says so (Qwen).
LayerMix window_if_used(Reading& reading, int64_t layer_count);
// All layers (Qwen3-MoE), every other of the first max_window_layers (Qwen2-MoE), those without
// rotary positions (SmolLM3), if use_sliding_window says so.
LayerMix window_everywhere_if_used(Reading& reading, int64_t layer_count);
LayerMix window_in_turn_if_used(Reading& reading, int64_t layer_count);
LayerMix window_without_rope_if_used(Reading& reading, int64_t layer_count);
// Layers from max_window_layers on, when the config states a window (dots).
LayerMix window_from_layer(Reading& reading, int64_t layer_count);
// Every so-many-th layer is full; the others have a window, are chunked, are recurrent.
LayerMix full_every_window(Reading& reading, int64_t layer_count);
LayerMix full_every_window_and_last(Reading& reading, int64_t layer_count);
LayerMix full_every_chunk(Reading& reading, int64_t layer_count);
LayerMix full_every_recurrent(Reading& reading, int64_t layer_count);
// Layers at attn_layer_offset of every attn_layer_period are full, the others recurrent; and the
// same where all of them are recurrent too.
LayerMix full_at_offset(Reading& reading, int64_t layer_count);
LayerMix both_at_offset(Reading& reading, int64_t layer_count);
// Lists of their own names.
LayerMix hybrid_layer_pattern(Reading& reading, int64_t layer_count);      // MiMo
LayerMix hybrid_override_pattern(Reading& reading, int64_t layer_count);   // Nemotron-H
LayerMix hybrid_layer_ids(Reading& reading, int64_t layer_count);          // Zamba2
LayerMix linear_attn_lists(Reading& reading, int64_t layer_count);         // Kimi
LayerMix attn_type_list(Reading& reading, int64_t layer_count);            // MiniMax
LayerMix attention_layers(Reading& reading, int64_t layer_count);          // GPT-Neo
LayerMix block_types(Reading& reading, int64_t layer_count);               // RecurrentGemma
LayerMix full_attn_idxs(Reading& reading, int64_t layer_count);            // LFM2
LayerMix full_but_cross_attention(Reading& reading, int64_t layer_count);  // Mllama

// ---- attention (attention_heads.cc, attention_latent.cc) ----------------------------------------

void heads(Reading& reading, const LayerMix& mix);
void heads_of_falcon(Reading& reading, const LayerMix& mix);
void heads_of_bigcode(Reading& reading, const LayerMix& mix);  // one head unless told
void heads_of_chatglm(Reading& reading, const LayerMix& mix);
void heads_of_attn_config(Reading& reading, const LayerMix& mix);  // MPT, DBRX
void heads_of_blocks(Reading& reading, const LayerMix& mix);       // DeciLM, Nemotron-NAS
void heads_with_index(Reading& reading, const LayerMix& mix);      // MiniMax-M3
void latents(Reading& reading, const LayerMix& mix);        // MLA, with an indexer or without
void latents_twice(Reading& reading, const LayerMix& mix);  // two attentions a layer
void no_attention(Reading& reading, const LayerMix& mix);

// ---- drafts (drafts.cc) -------------------------------------------------------------------------

// Returns how many layers only speculative decoding runs. They have a cache of their own.
int64_t draft_layer_count(Reading& reading);
// Returns their kinds, where a config lists them; else all are of the usual one.
LayerMix draft_mix(Reading& reading, int64_t layer_count, LayerRole usual);

// ---- recurrent states that one layer keeps (recurrence.cc) --------------------------------------

std::vector<kv::State> gated_delta(Reading& reading);
std::vector<kv::State> kimi_delta(Reading& reading);
std::vector<kv::State> lightning(Reading& reading);
std::vector<kv::State> mamba(Reading& reading);
std::vector<kv::State> mamba2(Reading& reading);
std::vector<kv::State> short_conv(Reading& reading);
std::vector<kv::State> gated_linear_unit(Reading& reading);  // Griffin

}  // namespace kvasir::plan
