#!/usr/bin/env python3
"""Writes a random DeepSeek-V4 checkpoint of Flash's width, stored as published, with little memory.

  tools/wide_checkpoint.py --out DIR [--layers 4] [--experts 256] [--vocab 129280] [--seed 1]

Dense matrices are FP8 with a scale for each tile of 128 x 128, routed experts FP4 with a scale for each 32
columns, both scales powers of two; embedding, head, router and compressors are BF16. Layers are, in turn, two of
windows alone, then CSA and HCA in turn. There is no tokenizer: the model is for measurements of speed, and its
text would be noise. Every matrix keeps the size of what goes through it, so logits are finite and tokens go to
experts of their own. The same seed gives the same tensors, whatever the number of experts.
"""

import argparse
import json
import pathlib
import struct
import zlib

import numpy as np

PIECE_BYTES = 16 << 20
QUERY_RANK, HEADS, HEAD_DIM, OUTPUT_GROUPS, OUTPUT_RANK = 1024, 64, 512, 8, 1024
INDEX_HEADS, INDEX_DIM, STREAMS, HIDDEN, EXPERT_WIDTH, PICKS = 64, 128, 4, 4096, 2048, 6
WINDOW, CSA, HCA = 0, 4, 128
FP4_RMS = 2.926  # of an even choice of the sixteen codes
FP8_SPREAD = 100.0  # standard deviation of codes: the largest of a tile of 16,384 is then near 448


def ratios_of(layer_count):
    return [WINDOW, WINDOW][:layer_count] + [CSA if i % 2 == 0 else HCA for i in range(layer_count - 2)]


def normal_quantiles(count):
    """The normal distribution cut into `count` equal shares, the middle of each."""
    grid = np.linspace(-6, 6, 240001)
    density = np.exp(-grid * grid / 2)
    return np.interp((np.arange(count) + 0.5) / count, np.cumsum(density) / density.sum(), grid)


def e4m3_codes(values):
    """The nearest code of each value, which all lie within 448."""
    codes = np.arange(127)
    exponents, mantissas = codes >> 3, codes & 7
    table = np.where(exponents == 0, mantissas / 8 * 2.0**-6, (1 + mantissas / 8) * 2.0 ** (exponents - 7))
    nearest = np.abs(np.abs(values)[:, None] - table[None, :]).argmin(axis=1)
    return (nearest | np.where(values < 0, 128, 0)).astype(np.uint8)


def bfloat16(values):
    return (np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)


NORMAL = normal_quantiles(4096)
FP8_NORMAL = e4m3_codes(np.clip(NORMAL * FP8_SPREAD, -448, 448))


class Tensor:
    """One tensor: what its head says, and `pieces(generator, byte_count)`, which yields its bytes."""

    def __init__(self, name, dtype, shape, item_bytes, pieces):
        self.name, self.dtype, self.shape, self.pieces = name, dtype, list(shape), pieces
        self.byte_count = int(np.prod(shape)) * item_bytes


def in_pieces(make, item_bytes):
    """A function that yields make(generator, item_count) until all bytes are there."""
    def pieces(generator, byte_count):
        for begin in range(0, byte_count, PIECE_BYTES):
            yield make(generator, min(PIECE_BYTES, byte_count - begin) // item_bytes)
    return pieces


def picked(table):
    """Items of a table, each as likely as another."""
    return lambda generator, count: table[generator.integers(0, len(table), count, np.uint16)]


def raw_bytes(generator, count):
    return generator.integers(0, 1 << 64, -(-count // 8), np.uint64).view(np.uint8)[:count]


def near_scale(value):
    """Scale bytes whose powers of two are `value` or the next lower one: on average a little less."""
    high = int(np.ceil(np.log2(value))) + 127
    return lambda generator, count: (high - generator.integers(0, 2, count, np.uint8)).astype(np.uint8)


def bf16_tensor(name, shape, spread, mean=0.0):
    table = bfloat16(NORMAL * spread + mean)
    return Tensor(name, "BF16", shape, 2, in_pieces(picked(table), 2))


def f32_tensor(name, shape, spread, mean=0.0):
    table = (NORMAL * spread + mean).astype(np.float32)
    return Tensor(name, "F32", shape, 4, in_pieces(picked(table), 4))


def fp8_matrix(stem, rows, cols):
    scale = near_scale(1.4 / np.sqrt(cols) / FP8_SPREAD)
    return [Tensor(stem + ".scale", "F8_E8M0", [-(-rows // 128), -(-cols // 128)], 1, in_pieces(scale, 1)),
            Tensor(stem + ".weight", "F8_E4M3", [rows, cols], 1, in_pieces(picked(FP8_NORMAL), 1))]


def fp4_matrix(stem, rows, cols):
    scale = near_scale(1.4 / np.sqrt(cols) / FP4_RMS)
    return [Tensor(stem + ".scale", "F8_E8M0", [rows, cols // 32], 1, in_pieces(scale, 1)),
            Tensor(stem + ".weight", "I8", [rows, cols // 2], 1, in_pieces(raw_bytes, 1))]


def expert_table(name, vocab, expert_count):
    """Every token goes to experts that lie at equal steps round the circle of all."""
    def rows(generator, byte_count):
        first = generator.integers(0, expert_count, vocab)
        steps = np.arange(PICKS) * max(1, expert_count // PICKS)
        yield ((first[:, None] + steps[None, :]) % expert_count).astype(np.int64)
    return Tensor(name, "I64", [vocab, PICKS], 8, rows)


def hyper(at, rows, scale_count):
    return [f32_tensor(at + "fn", [rows, STREAMS * HIDDEN], 1 / np.sqrt(STREAMS * HIDDEN)),
            f32_tensor(at + "base", [rows], 0.5),
            f32_tensor(at + "scale", [scale_count], 0.2, mean=1.0)]


def norm(name, width):
    return bf16_tensor(name, [width], 0.1, mean=1.0)


def compressor(at, ratio, width):
    cols = 2 * width if ratio == CSA else width
    return [bf16_tensor(at + "wkv.weight", [cols, HIDDEN], 1 / np.sqrt(HIDDEN)),
            bf16_tensor(at + "wgate.weight", [cols, HIDDEN], 1 / np.sqrt(HIDDEN)),
            f32_tensor(at + "ape", [ratio, cols], 1.0),
            norm(at + "norm.weight", width)]


def attention(at, ratio):
    tensors = [*fp8_matrix(at + "wq_a", QUERY_RANK, HIDDEN),
               norm(at + "q_norm.weight", QUERY_RANK),
               *fp8_matrix(at + "wq_b", HEADS * HEAD_DIM, QUERY_RANK),
               *fp8_matrix(at + "wkv", HEAD_DIM, HIDDEN),
               norm(at + "kv_norm.weight", HEAD_DIM),
               *fp8_matrix(at + "wo_a", OUTPUT_GROUPS * OUTPUT_RANK, HEADS * HEAD_DIM // OUTPUT_GROUPS),
               *fp8_matrix(at + "wo_b", HIDDEN, OUTPUT_GROUPS * OUTPUT_RANK),
               f32_tensor(at + "attn_sink", [HEADS], 1.0)]
    if ratio != WINDOW:
        tensors += compressor(at + "compressor.", ratio, HEAD_DIM)
    if ratio == CSA:
        tensors += [*fp8_matrix(at + "indexer.wq_b", INDEX_HEADS * INDEX_DIM, QUERY_RANK),
                    bf16_tensor(at + "indexer.weights_proj.weight", [INDEX_HEADS, HIDDEN], 1 / np.sqrt(HIDDEN)),
                    *compressor(at + "indexer.compressor.", CSA, INDEX_DIM)]
    return tensors


def expert(at, make):
    return [*make(at + "w1", EXPERT_WIDTH, HIDDEN), *make(at + "w3", EXPERT_WIDTH, HIDDEN),
            *make(at + "w2", HIDDEN, EXPERT_WIDTH)]


def experts(at, expert_count, vocab, is_hashed):
    if is_hashed:
        routing = expert_table(at + "gate.tid2eid", vocab, expert_count)
    else:
        routing = f32_tensor(at + "gate.bias", [expert_count], 0.05)
    routed = [t for e in range(expert_count) for t in expert(f"{at}experts.{e}.", fp4_matrix)]
    # As in published shards: all scales, then all weights, far from each other.
    routed.sort(key=lambda tensor: tensor.name.endswith(".weight"))
    return [bf16_tensor(at + "gate.weight", [expert_count, HIDDEN], 1 / np.sqrt(HIDDEN)), routing,
            *routed, *expert(at + "shared_experts.", fp8_matrix)]


def layer_tensors(layer, ratio, arguments):
    at = f"layers.{layer}."
    mixes = (2 + STREAMS) * STREAMS
    return [*hyper(at + "hc_attn_", mixes, 3), norm(at + "attn_norm.weight", HIDDEN), *attention(at + "attn.", ratio),
            *hyper(at + "hc_ffn_", mixes, 3), norm(at + "ffn_norm.weight", HIDDEN),
            *experts(at + "ffn.", arguments.experts, arguments.vocab, layer < arguments.hash_layers)]


def shards_of(arguments):
    """The tensors of each file."""
    ends = [bf16_tensor("embed.weight", [arguments.vocab, HIDDEN], 1.0),
            *hyper("hc_head_", STREAMS, 1), norm("norm.weight", HIDDEN),
            bf16_tensor("head.weight", [arguments.vocab, HIDDEN], 1 / np.sqrt(HIDDEN))]
    ratios = ratios_of(arguments.layers)
    return [ends] + [layer_tensors(layer, ratio, arguments) for layer, ratio in enumerate(ratios)]


def config_of(arguments):
    return {
        "architectures": ["DeepseekV4ForCausalLM"], "model_type": "deepseek_v4", "bos_token_id": 0, "eos_token_id": 1,
        "vocab_size": arguments.vocab, "hidden_size": HIDDEN, "moe_intermediate_size": EXPERT_WIDTH,
        "num_hidden_layers": arguments.layers, "num_hash_layers": arguments.hash_layers,
        "num_attention_heads": HEADS, "num_key_value_heads": 1, "head_dim": HEAD_DIM, "qk_rope_head_dim": 64,
        "q_lora_rank": QUERY_RANK, "o_groups": OUTPUT_GROUPS, "o_lora_rank": OUTPUT_RANK,
        "n_routed_experts": arguments.experts, "n_shared_experts": 1, "num_experts_per_tok": PICKS,
        "scoring_func": "sqrtsoftplus", "topk_method": "noaux_tc", "norm_topk_prob": True,
        "routed_scaling_factor": 1.5, "swiglu_limit": 10.0, "sliding_window": 128,
        "compress_ratios": ratios_of(arguments.layers), "compress_rope_theta": 160000.0, "rope_theta": 10000.0,
        "rms_norm_eps": 1e-6,
        "rope_scaling": {"type": "yarn", "factor": 16, "original_max_position_embeddings": 65536,
                         "beta_fast": 32, "beta_slow": 1},
        "index_n_heads": INDEX_HEADS, "index_head_dim": INDEX_DIM, "index_topk": 512, "hc_mult": STREAMS,
        "hc_sinkhorn_iters": 20, "hc_eps": 1e-6, "num_nextn_predict_layers": 0, "max_position_embeddings": 1 << 20,
        "tie_word_embeddings": False, "hidden_act": "silu", "torch_dtype": "bfloat16", "expert_dtype": "fp4",
        "quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
                                "scale_fmt": "ue8m0", "weight_block_size": [128, 128]},
    }


def write_shard(path, tensors, seed):
    head, offset = {}, 0
    for tensor in tensors:
        end = offset + tensor.byte_count
        head[tensor.name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(head).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            generator = np.random.Generator(np.random.SFC64([seed, zlib.crc32(tensor.name.encode())]))
            for piece in tensor.pieces(generator, tensor.byte_count):
                file.write(memoryview(np.ascontiguousarray(piece)).cast("B"))
    return offset


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hash-layers", type=int, default=2, help="the first layers, which route by token id")
    parser.add_argument("--experts", type=int, default=256)
    parser.add_argument("--vocab", type=int, default=129280)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.experts < PICKS or arguments.layers < 1:
        parser.error(f"a layer at least, and {PICKS} experts")
    arguments.out.mkdir(parents=True, exist_ok=True)
    shards, shard_of, total = shards_of(arguments), {}, 0
    for index, tensors in enumerate(shards):
        name = f"model-{index + 1:05d}-of-{len(shards):05d}.safetensors"
        total += write_shard(arguments.out / name, tensors, arguments.seed)
        shard_of.update({tensor.name: name for tensor in tensors})
    index = {"metadata": {"total_size": total}, "weight_map": shard_of}
    (arguments.out / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (arguments.out / "config.json").write_text(json.dumps(config_of(arguments), indent=1), encoding="utf-8")
    print(f"{total:,} bytes of weights in {arguments.out}")


if __name__ == "__main__":
    main()
