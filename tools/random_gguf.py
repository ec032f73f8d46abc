#!/usr/bin/env python3
"""Writes random models of a billion parameters as GGUF files, to measure speed with.

  tools/random_gguf.py FOLDER [--only llama qwen3moe] [--types bf16 q4_k_m]

llama: the shape of Llama 3.2 1B. qwen3moe: 16 layers of 32 experts, of which a token takes 4; 0.9 billion parameters, a
third of them read for a token. Q4_K_M chooses its types as llama.cpp does: Q6_K for the output, and for values and
down projections of half of the layers, Q4_K for the rest. Numbers are random bits within scales that keep activations
tame: nothing was quantised, and what such a model says means nothing.
"""

import argparse
import pathlib

import gguf
import numpy as np

TYPES = gguf.GGMLQuantizationType
VOCAB = 32000
SHAPES = {
    "llama": {"hidden": 2048, "layers": 16, "heads": 32, "kv_heads": 8, "head": 64, "width": 8192},
    "qwen3moe": {"hidden": 1024, "layers": 16, "heads": 16, "kv_heads": 4, "head": 64, "width": 512, "experts": 32,
                 "picks": 4},
}


def random_data(kind, dims, random):
    """dims: as numpy has them, rows before columns."""
    count = int(np.prod(dims))
    if kind == TYPES.F32:
        return random.standard_normal(dims, dtype=np.float32) * np.float32(0.02)
    if kind == TYPES.BF16:
        # Any sign and mantissa, exponents of 2^-7 and 2^-6.
        bits = random.integers(0, 1 << 16, count, dtype=np.uint16)
        return ((bits & 0x80FF) | 0x3C00).reshape(dims).view(np.uint8)
    block, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (count // block, size), dtype=np.uint8)
    if kind == TYPES.Q4_K:  # d, dmin, scales, codes: d * scale * code - dmin * min
        blocks[:, 0:4] = np.array([1e-4, 7.5e-4], np.float16).view(np.uint8)
    else:  # Q6_K: codes, scales, d
        blocks[:, -2:] = np.array([1.5e-5], np.float16).view(np.uint8)
    return blocks.reshape(*dims[:-1], dims[-1] // block * size)


class Maker:
    def __init__(self, name, is_q4_k_m, path):
        self.name, self.shape, self.is_q4_k_m = name, SHAPES[name], is_q4_k_m
        self.random = np.random.default_rng(1)
        self.writer = gguf.GGUFWriter(path, name)

    def write(self):
        self.add_keys()
        self.add("token_embd", (VOCAB, self.shape["hidden"]), is_better=True)
        self.add("output_norm", (self.shape["hidden"],))
        for layer in range(self.shape["layers"]):
            self.add_layer(f"blk.{layer}.", self.takes_more_bits(layer))
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()

    def takes_more_bits(self, layer):
        layers = self.shape["layers"]
        return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2

    def add_keys(self):
        shape, writer = self.shape, self.writer
        writer.add_context_length(32768)
        writer.add_embedding_length(shape["hidden"])
        writer.add_block_count(shape["layers"])
        writer.add_feed_forward_length(shape["width"])
        writer.add_head_count(shape["heads"])
        writer.add_head_count_kv(shape["kv_heads"])
        writer.add_key_length(shape["head"])
        writer.add_value_length(shape["head"])
        writer.add_rope_dimension_count(shape["head"])
        writer.add_rope_freq_base(500000.0)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_vocab_size(VOCAB)
        if "experts" in shape:
            writer.add_expert_count(shape["experts"])
            writer.add_expert_used_count(shape["picks"])
            writer.add_expert_feed_forward_length(shape["width"])
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list([f"t{token}" for token in range(VOCAB)])
        writer.add_token_types(VOCAB * [1])
        writer.add_token_merges(["t 1"])

    def add(self, name, dims, is_better=False, is_plain=False):
        kind = TYPES.BF16
        if len(dims) == 1 or is_plain:
            kind = TYPES.F32
        elif self.is_q4_k_m:
            kind = TYPES.Q6_K if is_better else TYPES.Q4_K
        data = np.ones(dims, np.float32) if len(dims) == 1 else random_data(kind, dims, self.random)
        self.writer.add_tensor(name + ".weight", data, raw_dtype=kind)

    def add_layer(self, name, is_better):
        shape = self.shape
        hidden, width = shape["hidden"], shape["width"]
        query, rows = shape["heads"] * shape["head"], shape["kv_heads"] * shape["head"]
        self.add(name + "attn_norm", (hidden,))
        self.add(name + "attn_q", (query, hidden))
        self.add(name + "attn_k", (rows, hidden))
        self.add(name + "attn_v", (rows, hidden), is_better)
        self.add(name + "attn_output", (hidden, query))
        self.add(name + "ffn_norm", (hidden,))
        if "experts" not in shape:
            self.add(name + "ffn_gate", (width, hidden))
            self.add(name + "ffn_up", (width, hidden))
            self.add(name + "ffn_down", (hidden, width), is_better)
            return
        experts = shape["experts"]
        self.add(name + "attn_q_norm", (shape["head"],))
        self.add(name + "attn_k_norm", (shape["head"],))
        self.add(name + "ffn_gate_inp", (experts, hidden), is_plain=True)
        self.add(name + "ffn_gate_exps", (experts, width, hidden))
        self.add(name + "ffn_up_exps", (experts, width, hidden))
        self.add(name + "ffn_down_exps", (experts, hidden, width), is_better)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--types", nargs="+", choices=["bf16", "q4_k_m"], default=["bf16", "q4_k_m"])
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.only:
        for kind in arguments.types:
            path = arguments.folder / f"{name}_{kind}.gguf"
            Maker(name, kind == "q4_k_m", path).write()
            print(path)


if __name__ == "__main__":
    main()
