#!/usr/bin/env python3
"""Compares `kvasir plan` with the cache that Hugging Face transformers really holds.

  tools/crosscheck_plan.py --kvasir build/release/kvasir [--seeds 1 2 3] [--only TYPE ...]

For each architecture, small random configs of several shapes: each is saved by save_pretrained, its model is
built with random weights, some tokens are run in one pass and the others one at a time, and the bytes of all
tensors in its cache are counted. `kvasir plan CONFIG --context TOKENS --kv f32 --json` is then asked twice:

  saved    of the config as transformers writes it
  stated   of only those fields that the case states, in the spelling that published configs use; what is
           left out follows from the architecture. The planner may refuse such a config, but not differ.

Verdicts:
  equal      the same bytes
  explained  the same bytes once known conventions are applied, each of which is named:
               window   transformers keeps the sliding_window - 1 tokens that the next one will see, the
                        planner counts sliding_window
               chunk    the same of chunked attention and attention_chunk_size
               mask     transformers keeps all tokens of a layer whose mask lets it see a window (GPT-Neo)
               conv     transformers keeps as many columns as the kernel is wide, the planner one less
               repeat   transformers keeps a head once for each of its queries (Falcon)
  DIFFERENT  anything else, a config as saved that the planner refuses among it; the exit status is 1 then
  skipped    the model does not run here; the reason follows
"""

import argparse
import collections
import dataclasses
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM
from transformers.cache_utils import DynamicCache, DynamicSlidingWindowLayer
from transformers.utils import logging

COMMON = {"vocab_size": 61, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
LEFT_OUT = object()


# ---- shapes: functions of (dice, fields so far) ---------------------------------------------------------

def one_of(*values):
    return lambda dice, fields: dice.choice(values)


def window(dice, fields):
    """Mostly less than the tokens that are run."""
    return dice.choice([3, 5, 8, 11, 200])


def mix(*kinds):
    """A kind for each layer, every kind at least once."""
    def make(dice, fields):
        count = fields["num_hidden_layers"]
        order = list(kinds) + [dice.choice(kinds) for _ in range(count - len(kinds))]
        dice.shuffle(order)
        return order
    return make


def some_layers(dice, fields):
    count = fields["num_hidden_layers"]
    return sorted(dice.sample(range(count), dice.randint(1, count - 1)))


def flags(dice, fields):
    return [int(kind == "b") for kind in mix("a", "b")(dice, fields)]


def case(base=None, **more):
    """A case: the base's fields, then these; what can be called is given the dice."""
    def make(dice):
        fields = base(dice) if base else dict(COMMON)
        for name, value in more.items():
            fields[name] = value(dice, fields) if callable(value) else value
        return {name: value for name, value in fields.items() if value is not LEFT_OUT}
    return make


def grouped(dice):
    """Grouped attention, the hidden size divided among the heads."""
    heads, kv_heads = dice.choice([(4, 2), (6, 3), (6, 1), (3, 3), (10, 5)])
    return {**COMMON, "num_hidden_layers": dice.randint(4, 7), "intermediate_size": 40,
            "hidden_size": heads * dice.choice([8, 16, 24]), "num_attention_heads": heads,
            "num_key_value_heads": kv_heads}


def own_dim(dice):
    """Heads of a size that does not follow from the hidden size."""
    return {**grouped(dice), "hidden_size": 60, "head_dim": dice.choice([24, 40, 56])}


def equal_heads(dice):
    """No grouping, and no field that could say so."""
    fields = grouped(dice)
    del fields["num_key_value_heads"]
    return fields


def two_periods(base, period):
    """At least two whole periods of a pattern, and a rest."""
    return case(base, num_hidden_layers=lambda dice, fields: 2 * period + dice.randint(1, period - 1))


def in_gpt2_spelling(dice):
    heads = dice.choice([3, 4, 6])
    return {**COMMON, "n_layer": dice.randint(2, 5), "n_head": heads, "n_positions": 128,
            "n_embd": heads * dice.choice([8, 16, 24])}


def latent(dice):
    heads = dice.choice([2, 4, 6])
    return {**grouped(dice), "hidden_size": 48, "num_attention_heads": heads, "num_key_value_heads": heads,
            "kv_lora_rank": dice.choice([20, 36, 52]), "qk_rope_head_dim": dice.choice([4, 8]),
            "qk_nope_head_dim": 12, "v_head_dim": 10, "q_lora_rank": 24,
            "moe_intermediate_size": 16, "n_routed_experts": 4, "n_group": 1, "topk_group": 1,
            "num_experts_per_tok": 2, "first_k_dense_replace": 1}


INDEXED = {"index_n_heads": 2, "index_head_dim": one_of(12, 20), "index_topk": 6}
EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
ROUTED = {"n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
          "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1}
DELTA = {"linear_num_key_heads": 2, "linear_num_value_heads": one_of(2, 4, 6),
         "linear_key_head_dim": one_of(6, 10), "linear_value_head_dim": one_of(8, 14),
         "linear_conv_kernel_dim": one_of(3, 4, 5)}
QWEN_MIX = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
            "shared_expert_intermediate_size": 16}
FULL_OR_WINDOW = mix("full_attention", "sliding_attention")
FULL_OR_LINEAR = mix("full_attention", "linear_attention")


def mamba(dice):
    return {**COMMON, "num_hidden_layers": dice.randint(2, 4), "hidden_size": dice.choice([24, 40]),
            "state_size": dice.choice([5, 7]), "conv_kernel": dice.choice([3, 4, 5]),
            "expand": dice.choice([2, 3]), "time_step_rank": 4}


def mamba2(dice):
    heads, groups = dice.choice([(4, 2), (6, 3), (6, 1), (8, 4)])
    expand = dice.choice([1, 2])
    return {**COMMON, "num_hidden_layers": dice.randint(2, 4), "hidden_size": 48, "expand": expand,
            "num_heads": heads, "head_dim": 48 * expand // heads, "n_groups": groups,
            "state_size": dice.choice([5, 7]), "conv_kernel": dice.choice([3, 4]), "chunk_size": 8}


def with_mamba(dice):
    return {**grouped(dice), "mamba_d_state": dice.choice([5, 7]), "mamba_d_conv": dice.choice([3, 4, 5]),
            "mamba_expand": dice.choice([1, 2]), "mamba_dt_rank": 4, "use_mamba_kernels": False}


def with_mamba2(dice):
    heads, groups = dice.choice([(4, 2), (6, 3), (6, 1), (8, 4)])
    expand = dice.choice([1, 2])
    return {**grouped(dice), "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 48,
            "mamba_d_state": dice.choice([5, 7]), "mamba_d_conv": dice.choice([3, 4, 5]),
            "mamba_expand": expand, "mamba_n_heads": heads, "mamba_n_groups": groups, "mamba_chunk_size": 8,
            "mamba_d_head": expand * 48 // heads}


def zamba(dice):
    return {**with_mamba(dice), "num_hidden_layers": dice.randint(9, 14), "n_mamba_heads": 2,
            "attn_layer_period": dice.choice([4, 5]), "attn_layer_offset": dice.choice([0, 2, 3])}


def zamba2(dice):
    fields = with_mamba2(dice)
    fields |= {"n_mamba_heads": fields.pop("mamba_n_heads"), "mamba_ngroups": fields.pop("mamba_n_groups"),
               "chunk_size": fields.pop("mamba_chunk_size"), "num_mem_blocks": 1, "adapter_rank": 4,
               "use_mamba_kernels": False}
    del fields["mamba_d_head"]
    return fields | {"layers_block_type": mix("mamba", "hybrid")(dice, fields)}


def nemotron_h(dice):
    heads, groups = dice.choice([(4, 2), (6, 3), (6, 1), (8, 4)])
    return {**own_dim(dice), "mamba_num_heads": heads, "mamba_head_dim": dice.choice([6, 10]),
            "n_groups": groups, "ssm_state_size": dice.choice([5, 7]), "conv_kernel": dice.choice([3, 4]),
            "chunk_size": 8, "n_routed_experts": 4, "moe_intermediate_size": 16,
            "moe_shared_expert_intermediate_size": 16, "use_mamba_kernels": False}


def pattern_of_letters(dice, fields):
    return "".join(mix("M", "*", "-", "E")(dice, fields))


def kimi_layers(dice, fields):
    kinds = FULL_OR_LINEAR(dice, fields)
    return {"full_attn_layers": [i + 1 for i, kind in enumerate(kinds) if kind == "full_attention"],
            "kda_layers": [i + 1 for i, kind in enumerate(kinds) if kind == "linear_attention"],
            "num_heads": dice.choice([3, 4]), "head_dim": dice.choice([6, 10]),
            "short_conv_kernel_size": dice.choice([3, 4])}


def kimi(dice):
    fields = latent(dice) | {"num_experts": 4, "num_experts_per_token": 2, "num_expert_group": 1,
                             "q_lora_rank": None, "num_shared_experts": 1}
    for name in ("n_routed_experts", "n_group", "num_experts_per_tok"):
        del fields[name]
    return fields


def gemma3n(dice):
    """The last layers share what the last of each kind before them keeps."""
    period = ["sliding_attention", "full_attention", "sliding_attention"]
    layers = 2 * len(period)
    return {**own_dim(dice), "num_hidden_layers": layers, "layer_types": period * 2,
            "num_kv_shared_layers": dice.choice([0, 2, 3]), "activation_sparsity_pattern": [0.0] * layers,
            "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 61, "laurel_rank": 4,
            "sliding_window": window(dice, None)}


def gemma4(dice):
    return {**gemma3n(dice), "layer_types": ["sliding_attention", "sliding_attention", "full_attention"] * 2,
            "global_head_dim": dice.choice([32, 64]), "activation_sparsity_pattern": LEFT_OUT,
            "laurel_rank": LEFT_OUT}


def falcon(dice):
    fields = equal_heads(dice)
    return fields | {"alibi": dice.choice([True, False]), "num_attention_heads": 6, "hidden_size": 96}


def dbrx(dice):
    heads, kv_heads = dice.choice([(4, 2), (6, 3), (6, 1)])
    d_model = heads * dice.choice([8, 16])
    return {**COMMON, "d_model": d_model, "n_heads": heads, "n_layers": dice.randint(2, 4),
            "max_seq_len": 128,
            "attn_config": {"kv_n_heads": kv_heads, "clip_qkv": 8.0, "rope_theta": 500000.0},
            "ffn_config": {"hidden_size": d_model, "ffn_hidden_size": 16, "moe_num_experts": 2,
                           "moe_top_k": 1}}


def longcat(dice):
    fields = latent(dice)
    return {"num_layers": dice.randint(2, 4), "ffn_hidden_size": 40, "expert_ffn_hidden_size": 16,
            "moe_topk": 2, "zero_expert_num": 2, **{name: fields[name] for name in fields if name not in (
                "num_hidden_layers", "intermediate_size", "moe_intermediate_size", "num_experts_per_tok",
                "n_group", "topk_group", "first_k_dense_replace")}, "head_dim": fields["qk_rope_head_dim"]}


def gpt_neo(dice):
    heads = dice.choice([3, 4])
    return {**COMMON, "num_heads": heads, "hidden_size": heads * 10, "num_layers": 5,
            "attention_types": [[["global", "local"], 2], [["local"], 1]], "window_size": window(dice, None)}


def recurrent_gemma(dice):
    return {**grouped(dice), "attention_window_size": window(dice, None), "lru_width": dice.choice([24, 60]),
            "conv1d_width": dice.choice([3, 4, 5]), "block_types": ["recurrent", "recurrent", "attention"]}


def sparse_attention(dice, fields):
    return {"sparse_attention_freq": flags(dice, fields), "sparse_index_dim": dice.choice([12, 20]),
            "sparse_num_index_heads": fields["num_key_value_heads"], "sparse_block_size": 4,
            "sparse_topk_blocks": 2, "sparse_local_block": 1}


def windowed(**more):
    """A list of kinds, or the architecture's own pattern."""
    return {"listed": case(own_dim, **more, sliding_window=window, layer_types=FULL_OR_WINDOW),
            "pattern": case(two_periods(own_dim, 6), **more, sliding_window=window)}


def without(base, *names):
    return case(base, **dict.fromkeys(names, LEFT_OUT))


def windowed_divided(**more):
    return {"listed": case(grouped, **more, sliding_window=window, layer_types=FULL_OR_WINDOW),
            "pattern": case(two_periods(grouped, 6), **more, sliding_window=window)}


def mimo(dice):
    """Layers with a window have twice the heads: grouped enough for that."""
    return {**own_dim(dice), **ROUTED, "num_attention_heads": 12,
            "num_key_value_heads": dice.choice([1, 2, 3]), "v_head_dim": dice.choice([16, 32]),
            "sliding_window": window(dice, None)}


OWN_DIM = {"own head_dim": case(own_dim)}
GROUPED = {"grouped": case(grouped)}
HEADS = GROUPED | {"equal heads": case(equal_heads)}
USED_WINDOW = {"sliding_window": window, "use_sliding_window": True, "max_window_layers": one_of(0, 2, 3)}
MINIMAX = {"num_local_experts": 4, "num_experts_per_tok": 2, "block_size": 8}
GEMMA4 = {
    "global head_dim": case(gemma4), "global head_dim left out": case(gemma4, global_head_dim=LEFT_OUT),
    "keys as values": case(gemma4, num_kv_shared_layers=0, attention_k_eq_v=True,
                           num_global_key_value_heads=1),
    "global heads not used": case(gemma4, num_global_key_value_heads=1, attention_k_eq_v=False),
    "pattern": case(without(gemma4, "layer_types"), num_kv_shared_layers=0,
                    num_hidden_layers=one_of(6, 8, 13))}

CASES = {
    "llama": HEADS | OWN_DIM,
    "mistral": {"window": case(own_dim, sliding_window=window),
                "no window": case(grouped, sliding_window=None),
                "window left out": case(grouped)},
    "mixtral": {"window": case(own_dim, **EXPERTS, sliding_window=window),
                "no window": case(grouped, **EXPERTS)},
    "ministral": windowed(),
    "ministral3": GROUPED | OWN_DIM,
    "qwen2": GROUPED | {
        "window used": case(grouped, **USED_WINDOW),
        "window not used": case(grouped, sliding_window=8, use_sliding_window=False),
        "listed": case(grouped, sliding_window=window, use_sliding_window=True, layer_types=FULL_OR_WINDOW)},
    "qwen2_moe": {"experts": case(grouped, **QWEN_MIX),
                  "window used": case(grouped, **QWEN_MIX, **USED_WINDOW)},
    "qwen3": {"own head_dim": case(own_dim), "window used": case(own_dim, **USED_WINDOW)},
    "qwen3_moe": {"own head_dim": case(own_dim, **EXPERTS),
                  "window not used": case(own_dim, **EXPERTS, sliding_window=8),
                  "window used": case(own_dim, **EXPERTS, sliding_window=window, use_sliding_window=True)},
    "gemma": OWN_DIM,
    "gemma2": windowed(query_pre_attn_scalar=16),
    "vaultgemma": windowed(query_pre_attn_scalar=16),
    "gemma3_text": windowed(query_pre_attn_scalar=16) | {
        "pattern stated": case(two_periods(own_dim, 3), sliding_window=window, sliding_window_pattern=3)},
    "gemma3n_text": {"shared layers": case(gemma3n)},
    "gemma4_text": GEMMA4,
    "gemma4_unified_text": GEMMA4,
    "cohere": HEADS,
    "cohere2": windowed_divided() | {
        "pattern stated": case(two_periods(grouped, 3), sliding_window=window, sliding_window_pattern=3)},
    "hy_v3": {"own head_dim": case(own_dim, **EXPERTS)},
    "laguna": {"listed": case(own_dim, **EXPERTS, shared_expert_intermediate_size=16, sliding_window=window,
                              layer_types=FULL_OR_WINDOW)},
    "mellum": {"listed": case(own_dim, **EXPERTS, sliding_window=window, layer_types=FULL_OR_WINDOW),
               "no list": case(own_dim, **EXPERTS, sliding_window=window)},
    "olmo": HEADS,
    "olmo2": HEADS,
    "olmo3": windowed_divided(),
    "olmoe": {"experts": case(grouped, num_experts=4, num_experts_per_tok=2)},
    "flex_olmo": {"experts": case(grouped, num_experts=4, num_experts_per_tok=2)},
    "phi": HEADS,
    "phi3": {"window": case(grouped, sliding_window=window), "no window": case(grouped, sliding_window=None)},
    "phimoe": {"window": case(grouped, **EXPERTS, sliding_window=window),
               "no window": case(grouped, **EXPERTS)},
    "starcoder2": {"window": case(grouped, sliding_window=window), "no window": case(grouped)},
    "gpt2": {"its spelling": case(in_gpt2_spelling)},
    "gptj": {"its spelling": case(in_gpt2_spelling, rotary_dim=4)},
    "codegen": {"its spelling": case(in_gpt2_spelling, rotary_dim=4, n_head=4, n_embd=64)},
    "gpt_neo": {"global and local": case(gpt_neo)},
    "gpt_neox": {"equal heads": case(equal_heads)},
    "gpt_neox_japanese": {"equal heads": case(equal_heads)},
    "gpt_bigcode": {"multi-query": case(in_gpt2_spelling, multi_query=True),
                    "left out": case(in_gpt2_spelling),
                    "multi-head": case(in_gpt2_spelling, multi_query=False)},
    "openai-gpt": {"its spelling": case(in_gpt2_spelling)},
    "biogpt": {"equal heads": case(equal_heads)},
    "bloom": {"its spelling": case(n_layer=3, n_head=6, hidden_size=one_of(48, 60))},
    "falcon": {"grouped": case(falcon, new_decoder_architecture=True, num_kv_heads=one_of(1, 2, 3)),
               "multi-query": case(falcon, multi_query=True), "multi-query left out": case(falcon),
               "multi-head": case(falcon, multi_query=False)},
    "mpt": {"its spelling": case(d_model=48, n_heads=one_of(4, 6), n_layers=one_of(2, 3), max_seq_len=128)},
    "opt": {"equal heads": case(equal_heads, ffn_dim=40, word_embed_proj_dim=one_of(20, 48))},
    "stablelm": GROUPED,
    "glm": OWN_DIM,
    "glm4": OWN_DIM,
    "glm4_moe": {"own head_dim": case(own_dim, **ROUTED), "divided": case(grouped, **ROUTED)},
    "solar_open": {"own head_dim": case(own_dim, **ROUTED)},
    "gpt_oss": windowed(num_local_experts=4, num_experts_per_tok=2),
    "granite": HEADS,
    "granitemoe": {"experts": case(grouped, num_local_experts=4, num_experts_per_tok=2)},
    "granitemoeshared": {"experts": case(grouped, num_local_experts=4, shared_intermediate_size=16)},
    "granite_swa": {"listed": case(grouped, sliding_window=window, layer_types=FULL_OR_WINDOW)},
    "granitemoe_swa": {"listed": case(grouped, num_local_experts=4, num_experts_per_tok=2,
                                      sliding_window=window, layer_types=FULL_OR_WINDOW)},
    "granitemoehybrid": {
        "listed": case(with_mamba2, num_local_experts=4, layer_types=mix("mamba", "attention")),
        "no experts": case(with_mamba2, num_local_experts=0, layer_types=FULL_OR_LINEAR),
        "all recurrent": case(with_mamba2, num_local_experts=4)},
    "bamba": {"attention listed": case(with_mamba2, attn_layer_indices=some_layers),
              "automatic head_dim": case(with_mamba2, attn_layer_indices=some_layers,
                                         mamba_d_head="auto")},
    "jamba": {"at an offset": case(with_mamba, attn_layer_period=one_of(2, 3), attn_layer_offset=1,
                                   num_experts=2)},
    "mamba": {"expand": case(mamba)},
    "falcon_mamba": {"expand": case(mamba)},
    "mamba2": {"groups": case(mamba2)},
    "falcon_h1": {"both": case(with_mamba2, mamba_d_ssm=None),
                  "its own width": case(with_mamba2, mamba_d_ssm=72, mamba_n_heads=6,
                                        mamba_n_groups=3, mamba_d_head=12),
                  "automatic head_dim": case(with_mamba2, mamba_d_ssm=72, mamba_n_heads=6,
                                             mamba_n_groups=3, mamba_d_head="auto")},
    "zamba": {"pattern": case(zamba),
              "own head_dim": case(zamba, attention_head_dim=lambda dice, fields: (
                  2 * fields["hidden_size"] // fields["num_attention_heads"]))},
    "zamba2": {"listed": case(zamba2)},
    "nemotron": GROUPED | OWN_DIM,
    "nemotron_h": {"listed": case(nemotron_h, layers_block_type=mix("mamba", "attention", "mlp", "moe")),
                   "letters": case(nemotron_h, hybrid_override_pattern=pattern_of_letters)},
    "lfm2": {"numbered": case(grouped, conv_L_cache=one_of(3, 4), full_attn_idxs=some_layers),
             "listed": case(grouped, conv_L_cache=one_of(3, 4), layer_types=mix("conv", "full_attention"))},
    "lfm2_moe": {"listed": case(grouped, conv_L_cache=one_of(3, 4), layer_types=mix("conv", "full_attention"),
                                num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16)},
    "recurrent_gemma": {"pattern": case(recurrent_gemma)},
    "qwen3_next": {"pattern": case(two_periods(own_dim, 4), **QWEN_MIX, **DELTA),
                   "listed": case(own_dim, **QWEN_MIX, **DELTA, layer_types=FULL_OR_LINEAR)},
    "qwen3_5_text": {"pattern": case(two_periods(own_dim, 4), **DELTA),
                     "interval": case(two_periods(own_dim, 3), **DELTA, full_attention_interval=3),
                     "listed": case(own_dim, **DELTA, layer_types=FULL_OR_LINEAR)},
    "qwen3_5_moe_text": {"pattern": case(two_periods(own_dim, 4), **QWEN_MIX, **DELTA)},
    "olmo_hybrid": {"pattern": case(two_periods(grouped, 4), **DELTA),
                    "heads left out": case(two_periods(grouped, 4), linear_conv_kernel_dim=4),
                    "listed": case(grouped, **DELTA, layer_types=FULL_OR_LINEAR)},
    "kimi_linear": {"numbered": case(kimi, linear_attn_config=kimi_layers),
                    "listed": case(kimi, linear_num_heads=3, linear_head_dim=10, linear_conv_kernel_dim=4,
                                   layer_types=FULL_OR_LINEAR)},
    "minimax": {"listed": case(own_dim, **MINIMAX, layer_types=FULL_OR_LINEAR),
                "pattern": case(own_dim, **MINIMAX), "divided": case(grouped, **MINIMAX),
                "windows": case(own_dim, **MINIMAX, sliding_window=window,
                                layer_types=mix("linear_attention", "full_attention"))},
    "minimax_m2": {"own head_dim": case(own_dim, num_local_experts=4, num_experts_per_tok=2)},
    "minimax_m3_vl_text": {
        "index frequencies": case(own_dim, num_local_experts=4, num_experts_per_tok=2, rotary_dim=4,
                                  dense_intermediate_size=40, shared_intermediate_size=16,
                                  sparse_attention_config=sparse_attention),
        "listed": case(own_dim, num_local_experts=4, num_experts_per_tok=2, rotary_dim=4, index_head_dim=12,
                       dense_intermediate_size=40, shared_intermediate_size=16, index_block_size=4,
                       index_n_heads=lambda dice, fields: fields["num_key_value_heads"],
                       layer_types=mix("minimax_m3_sparse", "full_attention"))},
    "llama4_text": {
        "pattern": case(two_periods(own_dim, 4), num_local_experts=2, intermediate_size_mlp=40,
                        attention_chunk_size=window),
        "no_rope_layers": case(own_dim, num_local_experts=2, intermediate_size_mlp=40, no_rope_layers=flags,
                               attention_chunk_size=window),
        "listed": case(own_dim, num_local_experts=2, intermediate_size_mlp=40, attention_chunk_size=window,
                       layer_types=mix("chunked_attention", "full_attention"))},
    "exaone4": {"pattern": case(two_periods(grouped, 4), sliding_window=window,
                                sliding_window_pattern=one_of(3, 4)),
                "no window": case(grouped, sliding_window=None, layer_types=lambda dice, fields: [
                    "full_attention"] * fields["num_hidden_layers"]),
                "listed": case(grouped, sliding_window=window, layer_types=FULL_OR_WINDOW)},
    "exaone_moe": {"listed": case(grouped, **EXPERTS, sliding_window=window, layer_types=FULL_OR_WINDOW)},
    "smollm3": GROUPED | {
        "window used": case(grouped, use_sliding_window=True, sliding_window=window),
        "window not used": case(grouped, use_sliding_window=False, sliding_window=8)},
    "mimo_v2_flash": {
        "listed": case(mimo, layer_types=FULL_OR_WINDOW), "pattern": case(two_periods(mimo, 6)),
        "published": case(mimo, v_head_dim=16, sliding_window=9, sliding_window_size=8,
                          swa_num_key_value_heads=lambda dice, fields: 2 * fields["num_key_value_heads"],
                          swa_head_dim=lambda dice, fields: fields["head_dim"], swa_v_head_dim=16,
                          layer_types=FULL_OR_WINDOW,
                          hybrid_layer_pattern=lambda dice, fields: [
                              int(kind == "sliding_attention") for kind in fields["layer_types"]])},
    "deepseek_v2": {"latents": case(latent, n_group=LEFT_OUT, topk_group=LEFT_OUT),
                    "no query latents": case(latent, q_lora_rank=None, n_group=LEFT_OUT,
                                             topk_group=LEFT_OUT)},
    "deepseek_v3": {"latents": case(latent), "draft layers": case(latent, num_nextn_predict_layers=1)},
    "deepseek_v32": {"index keys": case(latent, **INDEXED)},
    "glm_moe_dsa": {"all indexers": case(latent, **INDEXED),
                    "some indexers": case(latent, **INDEXED, index_topk_freq=one_of(2, 3),
                                          index_skip_topk_offset=one_of(1, 2, 3)),
                    "letters": case(latent, **INDEXED, index_topk_pattern=lambda dice, fields: "F" + "".join(
                        dice.choice("FS") for _ in range(fields["num_hidden_layers"] - 1)))},
    "glm4_moe_lite": {"latents": case(latent)},
    "axk1": {"latents": case(latent)},
    "axk2": {"index keys": case(latent, **INDEXED)},
    "hy_v4": {"some indexers": case(latent, **INDEXED, indexer_types=lambda dice, fields: ["full"] + [
        dice.choice(["full", "shared"]) for _ in range(fields["num_hidden_layers"] - 1)]),
              "pattern": case(latent, **INDEXED)},
    "youtu": {"latents": case(latent)},
    "minicpm3": {"latents": case(latent)},
    "longcat_flash": {"latents, twice": case(longcat)},
    "hunyuan_v1_dense": OWN_DIM,
    "hunyuan_v1_moe": {"own head_dim": case(own_dim, num_experts=4, moe_topk=2)},
    "ernie4_5": OWN_DIM,
    "ernie4_5_moe": {"divided": case(grouped, moe_num_experts=4, moe_k=2, moe_intermediate_size=16)},
    "afmoe": windowed(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16) | {
        "pattern stated": case(two_periods(own_dim, 3), num_experts=4, num_experts_per_tok=2,
                               moe_intermediate_size=16, sliding_window=window,
                               global_attn_every_n_layers=3)},
    "dbrx": {"its spelling": case(dbrx)},
    "jetmoe": {"kv_channels": case(num_hidden_layers=3, hidden_size=48, num_key_value_heads=one_of(2, 3),
                                   kv_channels=one_of(8, 24), intermediate_size=40, num_local_experts=4,
                                   num_experts_per_tok=2)},
    "persimmon": {"equal heads": case(equal_heads)},
    "seed_oss": OWN_DIM,
    "dots1": {"divided": case(grouped, **ROUTED, sliding_window=8, max_window_layers=99),
              "windows": case(grouped, **ROUTED, sliding_window=window, max_window_layers=one_of(0, 2)),
              "listed": case(grouped, **ROUTED, sliding_window=window, layer_types=FULL_OR_WINDOW)},
    "arcee": HEADS | OWN_DIM,
    "helium": {"divided": case(grouped, head_dim=lambda dice, fields: (
        fields["hidden_size"] // fields["num_attention_heads"]))},
    "nanochat": HEADS,
    "apertus": HEADS,
    "bitnet": GROUPED,
    "cwm": {"listed": case(own_dim, sliding_window=window, layer_types=FULL_OR_WINDOW)},
    "diffllama": {"grouped": case(grouped, num_attention_heads=8, hidden_size=64,
                                  num_key_value_heads=one_of(2, 4))},
    "internlm3": GROUPED | OWN_DIM,
    "iquestcoder": GROUPED | OWN_DIM,
    "hyperclovax": HEADS,
    "jais2": HEADS,
}


# ---- what transformers holds ----------------------------------------------------------------------------

@dataclasses.dataclass
class Held:
    """Bytes in a cache, and what each convention of the planner would add to them."""

    total: int = 0
    conventions: collections.Counter = dataclasses.field(default_factory=collections.Counter)


def tensors_in(value):
    """All floating tensors of a layer's attributes, whatever holds them; counters are no cache."""
    if isinstance(value, torch.Tensor):
        return [value] if value.is_floating_point() else []
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [tensor for item in items for tensor in tensors_in(item)]


def bytes_of(tensors):
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def masked_window(config, layer):
    """The window of a layer that keeps all tokens but whose mask has one."""
    if config.model_type == "gpt_neo" and config.attention_layers[layer] == "local":
        return config.window_size
    return None


def count_rows(held, config, index, layer, token_count):
    keys = getattr(layer, "keys", None)
    if keys is None or keys.numel() == 0:
        return
    rows = keys.shape[-2]
    row_bytes = bytes_of([keys, layer.values]) // rows
    distinct_heads = torch.unique(keys, dim=1).shape[1]
    held.conventions["repeat"] -= (keys.shape[1] - distinct_heads) * rows * row_bytes // keys.shape[1]
    if isinstance(layer, DynamicSlidingWindowLayer):
        kinds = getattr(config, "layer_types", None)
        name = "chunk" if kinds and kinds[index] == "chunked_attention" else "window"
        held.conventions[name] += (min(token_count, layer.sliding_window) - rows) * row_bytes
    elif (width := masked_window(config, index)) is not None:
        held.conventions["mask"] += (min(token_count, width) - rows) * row_bytes


def count_columns(held, states, kernels):
    for state in states:
        columns = state.shape[-1]
        if columns not in kernels and columns + 1 not in kernels:
            raise RuntimeError(f"{columns} columns of conv state, kernels {sorted(kernels)}")
        if columns in kernels:
            held.conventions["conv"] -= bytes_of([state]) // columns


def count_in_modules(model, held, kernels):
    """RecurrentGemma keeps its states in the modules themselves."""
    for module in model.modules():
        conv = tensors_in(getattr(module, "conv1d_state", None))
        held.total += bytes_of(conv) + bytes_of(tensors_in(vars(module).get("recurrent_states")))
        count_columns(held, conv, kernels)


def run(model, token_count, first_count):
    """The cache after all tokens."""
    generator = torch.Generator().manual_seed(token_count)
    tokens = torch.randint(3, COMMON["vocab_size"], (1, token_count), generator=generator)
    # RecurrentGemma does not hand back the cache that it makes.
    state, begin, end = {}, 0, first_count
    if model.config.model_type == "recurrent_gemma":
        state = {"past_key_values": DynamicCache(config=model.config)}
    while begin < token_count:
        output = model(input_ids=tokens[:, begin:end], use_cache=True, **state)
        names = [name for name in ("past_key_values", "cache_params") if name in output]
        state = {name: output[name] for name in names} or state
        begin, end = end, end + 1
    if not state:
        raise RuntimeError("it hands back no cache")
    return next(iter(state.values()))


def held_by_transformers(config, token_count, first_count):
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    kernels = {module.kernel_size[0] for module in model.modules() if isinstance(module, torch.nn.Conv1d)}
    with torch.no_grad():
        cache = run(model, token_count, first_count)
    others = {name: value for name, value in vars(cache).items() if name != "layers"}
    held = Held(bytes_of(tensors_in(others)))
    for index, layer in enumerate(cache.layers):
        held.total += bytes_of(tensors_in(vars(layer)))
        count_rows(held, config, index, layer, token_count)
        count_columns(held, tensors_in(getattr(layer, "conv_states", None)), kernels)
    count_in_modules(model, held, kernels)
    return held


# ---- what the planner says ------------------------------------------------------------------------------

def planned_bytes(arguments, path, token_count):
    """Bytes, or the planner's error."""
    command = [arguments.kvasir, "plan", path, "--context", token_count, "--kv", "f32", "--json"]
    run_of = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if run_of.returncode != 0:
        return " ".join(run_of.stderr.split()).removeprefix("kvasir: ").replace(f"{path}: ", "")
    return json.loads(run_of.stdout)["bill"]["ram_bytes"]


def verdict(ours, held):
    """All conventions that apply must be applied: a sum that comes out without them does so by chance."""
    if isinstance(ours, str):
        return f"refused ({ours})"
    conventions = {name: delta for name, delta in held.conventions.items() if delta}
    if ours != held.total + sum(conventions.values()):
        return "DIFFERENT"
    named = ", ".join(f"{name} {delta:+d}" for name, delta in sorted(conventions.items()))
    return f"explained: {named}" if named else "equal"


def judge(saved, stated, held):
    """The verdict on both configs; only what is stated may be refused."""
    of_saved, of_stated = verdict(saved, held), verdict(stated, held)
    if of_saved.startswith("refused"):
        of_saved = "DIFFERENT: " + of_saved
    return of_saved if of_saved == of_stated else f"saved {of_saved}; stated {of_stated}"


# ---- the comparison -------------------------------------------------------------------------------------

def say(model_type, variant, token_count, figures, outcome):
    ours, of_stated, theirs = figures
    print(f"{model_type:<19} {variant:<24} {token_count:>3} {ours:>8} {of_stated:>8} {theirs:>12}  {outcome}",
          flush=True)


def save(config, fields, folder):
    config.save_pretrained(folder)
    stated = folder / "stated.json"
    head = {"model_type": config.model_type, "dtype": "float32"}
    stated.write_text(json.dumps({**head, **fields}), encoding="utf-8")
    return folder / "config.json", stated


def compare(arguments, model_type, variant, seed, folder):
    """The verdict on one case."""
    dice = random.Random(f"{model_type} {variant} {seed}")
    fields = CASES[model_type][variant](dice)
    token_count, first_count = dice.randint(12, 20), dice.randint(2, 9)
    torch.manual_seed(seed)
    try:
        config = CONFIG_MAPPING[model_type](**json.loads(json.dumps(fields)), dtype="float32")
        paths = save(config, fields, folder)
        held = held_by_transformers(config, token_count, first_count)
    except Exception as error:  # pylint: disable=broad-except
        reason = " ".join(str(error).split())[:arguments.reason_length]
        say(model_type, variant, token_count, "---", f"skipped: {type(error).__name__}: {reason}")
        return "skipped"
    saved, stated = (planned_bytes(arguments, path, token_count) for path in paths)
    outcome = judge(saved, stated, held)
    ours = ["-" if isinstance(figure, str) else figure for figure in (saved, stated)]
    say(model_type, variant, token_count, [*ours, held.total], outcome)
    return next(kind for kind in ("DIFFERENT", "refused", "explained", "equal") if kind in outcome)


def check(arguments):
    results = []
    say("model_type", "variant", "tok", ["saved", "stated", "transformers"], "verdict")
    for model_type in arguments.only or CASES:
        for variant in CASES[model_type]:
            for seed in arguments.seeds:
                with tempfile.TemporaryDirectory() as name:
                    results.append(compare(arguments, model_type, variant, seed, pathlib.Path(name)))
    return results


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvasir", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", choices=CASES, metavar="TYPE")
    parser.add_argument("--reason-length", type=int, default=120, help="of what is said of a skipped model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    logging.set_verbosity(50)
    logging.disable_progress_bar()
    results = check(arguments)
    counts = collections.Counter(results)
    print("; ".join(f"{kind} {count}" for kind, count in sorted(counts.items())) + f"; {len(results)} cases")
    sys.exit(1 if counts["DIFFERENT"] else 0)


if __name__ == "__main__":
    main()
