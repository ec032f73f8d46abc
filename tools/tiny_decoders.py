"""Small random dense and expert decoders, one for each kind that Kvasir runs, for comparing it with transformers.

A freshly built model has unit norms and zero biases: an engine that forgets those parts would still agree
with it. Here every parameter gets random values, large enough to move the logits.
"""

import contextlib
import math

import torch
from transformers import AutoConfig, AutoModelForCausalLM

BASE = {
    "vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 40, "max_position_embeddings": 4096,
}
GPT2 = {"vocab_size": 96, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 2048}
FALCON = {"model_type": "falcon", "vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2,
          "num_attention_heads": 4}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 40.0, "beta_fast": 32, "beta_slow": 1,
        "original_max_position_embeddings": 64}
LATENT = BASE | {
    "num_key_value_heads": 4, "kv_lora_rank": 24, "qk_nope_head_dim": 12, "qk_rope_head_dim": 8,
    "v_head_dim": 10, "n_routed_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 12,
    "n_shared_experts": 1, "first_k_dense_replace": 1,
}

# Heads enough that hardly a key scores zero with all of them: such keys would score alike.
INDEXED = LATENT | {"q_lora_rank": 16, "index_n_heads": 16, "index_head_dim": 16, "num_hidden_layers": 3}

# Fields of the config; model_type where it is not the case's name.
CASES = {
    "llama": BASE,
    "llama_3": BASE | {
        "model_type": "llama", "head_dim": 12, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
                            "high_freq_factor": 4.0, "original_max_position_embeddings": 128}},
    "llama_yarn": BASE | {"model_type": "llama", "rope_parameters": YARN},
    "llama_linear": BASE | {"model_type": "llama", "num_key_value_heads": 4, "rope_parameters": {
        "rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}},
    "mistral": BASE | {"sliding_window": 40, "head_dim": 16, "num_key_value_heads": 1},
    "mixtral": BASE | {"num_local_experts": 5, "num_experts_per_tok": 2, "intermediate_size": 12,
                       "sliding_window": None},
    "qwen2": BASE,
    "qwen2_window": BASE | {"model_type": "qwen2", "use_sliding_window": True, "sliding_window": 30,
                            "max_window_layers": 1},
    "qwen2_moe": BASE | {"num_experts": 6, "num_experts_per_tok": 3, "moe_intermediate_size": 12,
                         "shared_expert_intermediate_size": 20, "mlp_only_layers": [1]},
    "qwen3": BASE | {"head_dim": 20},
    "qwen3_moe": BASE | {"head_dim": 16, "num_experts": 6, "num_experts_per_tok": 3, "moe_intermediate_size": 12,
                         "norm_topk_prob": True, "decoder_sparse_step": 2},
    "smollm3": BASE | {"num_hidden_layers": 4, "pad_token_id": 0},
    "gemma": BASE | {"head_dim": 12},
    "gemma2": BASE | {"head_dim": 12, "query_pre_attn_scalar": 20, "sliding_window": 33},
    "gemma3_text": BASE | {"head_dim": 12, "query_pre_attn_scalar": 20, "sliding_window": 33, "layer_types": [
        "sliding_attention", "full_attention"], "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0}}},
    "phi3": BASE | {"sliding_window": 50, "pad_token_id": 0},
    "phi3_partial": BASE | {"model_type": "phi3", "pad_token_id": 0, "head_dim": 16, "rope_parameters": {
        "rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.75}},
    "phi3_longrope": BASE | {
        "model_type": "phi3", "pad_token_id": 0, "original_max_position_embeddings": 128, "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 128,
            "short_factor": [1.0, 1.1, 1.3, 1.7], "long_factor": [1.0, 1.5, 4.0, 8.0]}},
    "granite": BASE | {"embedding_multiplier": 3.0, "residual_multiplier": 0.3, "attention_multiplier": 0.2,
                       "logits_scaling": 4.0},
    "starcoder2": BASE | {"sliding_window": 45},
    "falcon_mqa": FALCON | {"multi_query": True, "parallel_attn": True, "bias": False},
    "falcon_gqa": FALCON | {"num_kv_heads": 2, "new_decoder_architecture": True, "bias": True},
    "falcon_mha": FALCON | {"multi_query": False, "parallel_attn": False, "bias": True},
    "gpt_bigcode": GPT2,
    "gpt_bigcode_mha": GPT2 | {"model_type": "gpt_bigcode", "multi_query": False},
    "gpt2": GPT2,
    "gpt_oss": BASE | {"head_dim": 8, "num_local_experts": 6, "num_experts_per_tok": 3, "intermediate_size": 12,
                       "sliding_window": 30, "rope_parameters": YARN | {"truncate": False, "factor": 32.0}},
    "olmo2": BASE | {"pad_token_id": 0},
    "olmo3": BASE | {"pad_token_id": 0, "sliding_window": 30, "layer_types": ["sliding_attention", "full_attention"],
                     "rope_parameters": {"full_attention": YARN | {"factor": 8.0, "attention_factor": 1.2},
                                         "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}},
    "glm4_moe": BASE | {
        "head_dim": 16, "n_routed_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 12, "n_group": 2,
        "topk_group": 1, "use_qk_norm": True, "attention_bias": True, "routed_scaling_factor": 1.5},
    "deepseek_v2": LATENT | {"q_lora_rank": None, "n_shared_experts": 2, "topk_method": "greedy", "n_group": 1,
                             "topk_group": 1},
    "deepseek_v2_groups": LATENT | {
        "model_type": "deepseek_v2", "q_lora_rank": 16, "first_k_dense_replace": 0, "n_group": 4, "topk_group": 2,
        "topk_method": "group_limited_greedy", "routed_scaling_factor": 4.0,
        "rope_parameters": YARN | {"mscale": 0.707, "mscale_all_dim": 0.707}},
    "deepseek_v3": LATENT | {"q_lora_rank": 16, "n_group": 4, "topk_group": 2,
                             "rope_parameters": YARN | {"mscale": 1.0, "mscale_all_dim": 1.0}},
    "deepseek_v32": INDEXED | {"index_topk": 32, "n_group": 4, "topk_group": 2,
                               "rope_parameters": YARN | {"mscale": 1.0, "mscale_all_dim": 1.0}},
    "glm_moe_dsa": INDEXED | {"index_topk": 64, "n_group": 1, "topk_group": 1, "rms_norm_eps": 1e-5,
                              "mlp_layer_types": ["sparse", "dense", "sparse"]},
    "glm_moe_dsa_shared": INDEXED | {
        "model_type": "glm_moe_dsa", "num_hidden_layers": 5, "index_topk": 40, "first_k_dense_replace": 3,
        "n_group": 1, "topk_group": 1, "index_topk_freq": 2, "index_skip_topk_offset": 1},
}


def build(name, seed=0, fields=None):
    """A model in float32 whose parameters are all random."""
    config_fields = dict(CASES[name]) | (fields or {})
    torch.manual_seed(seed)
    config = AutoConfig.for_model(config_fields.pop("model_type", name), **config_fields)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            values = torch.randn_like(parameter)
            if "norm" in key or "ln_" in key:
                parameter.add_(0.2 * values)
            elif parameter.dim() == 1 or "bias" in key or "sinks" in key:
                parameter.copy_(0.3 * values)
            else:
                inputs = parameter.shape[-2 if "experts" in key else -1]
                parameter.copy_(values / math.sqrt(inputs))
        for key, buffer in model.named_buffers():
            if "e_score_correction_bias" in key:
                buffer.copy_(0.3 * torch.randn_like(buffer))
    return model


@contextlib.contextmanager
def float64_angles():
    """transformers forms rotary angles in float32, whatever the model's type: at 1,000 tokens they are off by 1e-4."""
    float_type, to_float = torch.float, torch.Tensor.float
    torch.float, torch.Tensor.float = torch.float64, torch.Tensor.double
    try:
        yield
    finally:
        torch.float, torch.Tensor.float = float_type, to_float


@contextlib.contextmanager
def recorded_margins(margins):
    """Appends for each indexer's choice what lies between the last score that is picked and the first that is not,
    as a part of the largest. [tokens]"""
    topk = torch.Tensor.topk

    def recording(scores, k, *arguments, **named):
        if scores.dim() == 3 and scores.shape[0] == 1 and k < scores.shape[-1]:
            best = topk(scores, k + 1, dim=-1).values[0]
            margins.append(((best[:, -2] - best[:, -1]) / scores[0].masked_fill(scores[0].isinf(), 0).abs().amax(-1))
                           .nan_to_num(nan=math.inf).numpy())
        return topk(scores, k, *arguments, **named)

    torch.Tensor.topk = recording
    try:
        yield
    finally:
        torch.Tensor.topk = topk


def reference_logits(directory, tokens, **loading):
    """What transformers' code gives in float64, in one forward without a cache. [tokens, vocab]"""
    with torch.no_grad(), float64_angles():
        # Loaded anew: a model that ever was of a narrower type keeps that type's rotary frequencies.
        model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float64, attn_implementation="eager",
                                                     experts_implementation="eager", **loading)
        return model(torch.as_tensor(tokens)[None], use_cache=False).logits[0].double().numpy()
