"""Small random DeepSeek-V4 models for comparing Kvasir with transformers.

A freshly built transformers model has zero sinks, zero biases, unit norms and a routing table full of
zeros: an engine that forgets those parts would still agree with it. Here every parameter gets random
values, large enough to move the logits and small enough that nothing saturates.
"""

import dataclasses
import math

import torch
from transformers import DeepseekV4Config, DeepseekV4ForCausalLM

WINDOW, CSA, HCA = 0, 4, 128


@dataclasses.dataclass(frozen=True)
class Shape:
    """One model to build: layer ratios, config fields that differ from `BASE_FIELDS`, tokens to run."""

    name: str
    ratios: tuple
    token_count: int
    hash_layer_count: int = 0
    fields: dict = dataclasses.field(default_factory=dict)


BASE_FIELDS = {
    "vocab_size": 320,
    "hidden_size": 128,
    "moe_intermediate_size": 48,
    "num_attention_heads": 4,
    "head_dim": 128,
    "qk_rope_head_dim": 64,
    "q_lora_rank": 64,
    "o_groups": 2,
    "o_lora_rank": 48,
    "n_routed_experts": 8,
    "num_experts_per_tok": 3,
    "n_shared_experts": 1,
    "scoring_func": "sqrtsoftplus",
    "routed_scaling_factor": 1.5,
    "swiglu_limit": 10.0,
    "sliding_window": 128,
    "compress_rope_theta": 160000.0,
    "rope_theta": 10000.0,
    "index_n_heads": 16,
    "index_head_dim": 128,
    "index_topk": 16,
    "hc_mult": 4,
    "hc_sinkhorn_iters": 20,
    "max_position_embeddings": 1 << 20,
    "num_nextn_predict_layers": 0,
    "dtype": "float32",
}

YARN_PUBLISHED = {
    "rope_type": "yarn",
    "factor": 16.0,
    "original_max_position_embeddings": 65536,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
}
# With so short an original context the ramp lies in the middle of the rotary dims, and positions far
# beyond it are reached within a few hundred tokens.
YARN_STRONG = {**YARN_PUBLISHED, "factor": 40.0, "original_max_position_embeddings": 128, "beta_fast": 8.0}

SHAPES = (
    Shape("window", (WINDOW,) * 3, 400, fields={"sliding_window": 48}),
    Shape("hca", (WINDOW, HCA, HCA), 700, fields={"sliding_window": 100}),
    Shape("csa-all-rows", (CSA, CSA), 500, fields={"sliding_window": 64, "index_topk": 4096}),
    Shape("csa-chooses", (CSA, CSA, WINDOW), 600, fields={"sliding_window": 64, "index_topk": 12}),
    Shape("hash", (WINDOW, CSA, HCA), 500, 3, {"n_routed_experts": 16, "num_experts_per_tok": 6}),
    Shape("flash-like", (0, 0, 4, 128, 4, 128, 4), 1500, 3, {"rope_parameters": YARN_PUBLISHED}),
    Shape("pro-like", (128, 128, 4, 128, 4), 1000, 3,
          {"rope_parameters": YARN_PUBLISHED, "index_topk": 24, "o_groups": 4, "num_attention_heads": 8}),
    Shape("yarn-strong", (0, 4, 128, 4), 900, 1,
          {"rope_parameters": YARN_STRONG, "sliding_window": 80}),
    Shape("small-dims", (4, 128, 4), 300, 0,
          {"head_dim": 96, "qk_rope_head_dim": 32, "index_head_dim": 64, "index_n_heads": 8, "index_topk": 7,
           "hidden_size": 80, "hc_mult": 2, "hc_sinkhorn_iters": 3, "o_groups": 1, "swiglu_limit": 0.7,
           "sliding_window": 33, "routed_scaling_factor": 2.5}),
    # One index head: the score is 0 for every row on its far side, so equal scores are common.
    Shape("equal-scores", (4, 4, 0), 400, 0, {"index_n_heads": 1, "index_topk": 24}),
)

# For timing: large enough that matrices dominate, small enough to be made on the fly.
MID_SIZE = Shape("mid-size", (0, 0, 4, 128, 4, 128, 4, 128), 512, 2,
                 {"vocab_size": 8192, "hidden_size": 768, "moe_intermediate_size": 256,
                  "num_attention_heads": 12, "q_lora_rank": 384, "o_groups": 4, "o_lora_rank": 128,
                  "n_routed_experts": 16, "num_experts_per_tok": 4, "index_topk": 128,
                  "rope_parameters": YARN_PUBLISHED})


def make_config(shape):
    fields = {**BASE_FIELDS, **shape.fields}
    return DeepseekV4Config(
        num_hidden_layers=len(shape.ratios),
        compress_ratios=list(shape.ratios),
        num_hash_layers=shape.hash_layer_count,
        **fields,
    )


def fill_table(table, expert_count, generator):
    """Every token gets distinct experts, as a real table does."""
    order = torch.rand(table.shape[0], expert_count, generator=generator).argsort(dim=-1)
    table.copy_(order[:, : table.shape[1]])


@torch.no_grad()
def randomise(model, seed):
    """Random values for every parameter and buffer that a checkpoint stores."""
    generator = torch.Generator().manual_seed(seed)

    def normal(tensor, std, mean=0.0):
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * std + mean)

    for name, tensor in list(model.named_parameters()) + list(model.named_buffers()):
        leaf = name.rsplit(".", 1)[-1]
        if "inv_freq" in leaf:
            continue
        if leaf == "tid2eid":
            fill_table(tensor, model.config.n_routed_experts, generator)
        elif "norm" in name:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        elif "embed_tokens" in name or leaf in ("sinks", "position_bias"):
            normal(tensor, 1.0)
        elif leaf == "e_score_correction_bias":
            normal(tensor, 0.3)
        elif leaf in ("base", "hc_base"):
            normal(tensor, 0.5)
        elif leaf in ("scale", "hc_scale"):
            normal(tensor, 0.2, mean=1.0)
        else:  # a matrix, or a stack of them: keeps the scale of what goes through it
            normal(tensor, 1.0 / math.sqrt(tensor.shape[-1]))
    return model


def make_model(shape, seed):
    model = DeepseekV4ForCausalLM(make_config(shape))
    model.set_experts_implementation("eager")
    return randomise(model.eval(), seed)


def make_tokens(shape, seed, token_count):
    generator = torch.Generator().manual_seed(seed + 1)
    vocab_size = shape.fields.get("vocab_size", BASE_FIELDS["vocab_size"])
    return torch.randint(0, vocab_size, (token_count,), generator=generator)


def save_bfloat16(model, folder):
    """Saves in official names with every floating-point tensor in BF16."""
    tensors = {name: tensor.to(torch.bfloat16) if tensor.is_floating_point() else tensor
               for name, tensor in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=tensors)
