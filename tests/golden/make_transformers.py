"""Writes transformers-saved/ and transformers-runtime/ beside this file.

Both hold one tiny random model: as save_pretrained of transformers writes it by default, in two
shards, and under its run-time names. The files here were made with transformers 5.23.0.
"""

import pathlib

import torch
from transformers import DeepseekV4Config, DeepseekV4ForCausalLM

HERE = pathlib.Path(__file__).parent
YARN = {
    "type": "yarn",
    "factor": 16,
    "original_max_position_embeddings": 65536,
    "beta_fast": 32,
    "beta_slow": 1,
}


def make_model():
    config = DeepseekV4Config(
        vocab_size=24,
        hidden_size=16,
        moe_intermediate_size=8,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        qk_rope_head_dim=4,
        q_lora_rank=8,
        num_experts_per_tok=2,
        n_routed_experts=3,
        n_shared_experts=1,
        compress_ratios=[0, 4, 128, 0],
        num_hash_layers=1,
        o_groups=2,
        o_lora_rank=4,
        index_n_heads=2,
        index_head_dim=8,
        index_topk=4,
        sliding_window=8,
        hc_mult=2,
        rope_scaling=YARN,
    )
    torch.manual_seed(1)
    model = DeepseekV4ForCausalLM(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    for name, buffer in model.named_buffers():
        if name.endswith("e_score_correction_bias"):
            torch.nn.init.normal_(buffer, 0, 0.1)
        if name.endswith("tid2eid"):
            buffer.copy_(torch.randint(0, config.n_routed_experts, buffer.shape))
    return model.to(torch.bfloat16)


def main():
    model = make_model()
    model.save_pretrained(HERE / "transformers-saved", max_shard_size="20KB")
    model.save_pretrained(HERE / "transformers-runtime", save_original_format=False)
    for folder in ("transformers-saved", "transformers-runtime"):
        (HERE / folder / "generation_config.json").unlink()
        for file in (HERE / folder).iterdir():
            file.chmod(0o644)


if __name__ == "__main__":
    main()
