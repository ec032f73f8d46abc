#!/usr/bin/env python3
"""Rewrites an official FP8/FP4 checkpoint with every matrix in BF16, changing no value.

  tools/expand_checkpoint.py --model DIR --out DIR [--dtype bfloat16|float32]

transformers needs special kernels for the official storage. An E4M3 or E2M1 code times a power of two
always fits in BF16 unless its exponent is out of range, which is checked: both engines can then run the
very same weights.
"""

import argparse
import json
import pathlib
import shutil
import sys

import torch
from safetensors import safe_open
from safetensors.torch import save_file

FP8_BLOCK = 128
FP4_GROUP = 32
E2M1_VALUES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


def scale_values(scale):
    """UE8M0 bytes as float64 powers of two."""
    codes = scale.view(torch.uint8)
    if (codes == 255).any():
        sys.exit("a scale is NaN")
    return torch.exp2(codes.double() - 127)


def expand_fp8(weight, scale):
    rows, columns = weight.shape
    wide = scale_values(scale).repeat_interleave(FP8_BLOCK, 0).repeat_interleave(FP8_BLOCK, 1)
    return weight.double() * wide[:rows, :columns]


def expand_fp4(weight, scale):
    codes = weight.view(torch.uint8).long()
    pairs = torch.stack((codes & 15, codes >> 4), dim=-1).flatten(-2)
    values = torch.tensor(E2M1_VALUES + tuple(-v for v in E2M1_VALUES), dtype=torch.float64)
    return values[pairs] * scale_values(scale).repeat_interleave(FP4_GROUP, 1)


def exactly(values, dtype, name):
    stored = values.to(dtype)
    if not torch.equal(stored.double(), values):
        sys.exit(f"{name}: some values do not fit in {dtype}")
    return stored


def expand_tensors(tensors, dtype):
    expanded = {}
    for name, tensor in tensors.items():
        if name.endswith(".scale") and name[: -len("scale")] + "weight" in tensors:
            continue
        scale = tensors.get(name[: -len("weight")] + "scale") if name.endswith(".weight") else None
        if scale is not None:
            expand = expand_fp8 if tensor.dtype == torch.float8_e4m3fn else expand_fp4
            tensor = exactly(expand(tensor, scale), dtype, name)
        expanded[name] = tensor.contiguous()
    return expanded


def has_scales(model):
    """Whether the checkpoint holds any scaled matrix, and expanding it changes anything."""
    for path in sorted(model.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
        if any(name.endswith(".scale") and name[: -len("scale")] + "weight" in names for name in names):
            return True
    return False


def expand_checkpoint(model, out, dtype):
    """Writes the expanded copy of folder `model` to folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for path in sorted(model.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            tensors.update({name: file.get_tensor(name) for name in file.keys()})
    save_file(expand_tensors(tensors, dtype), out / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    config.pop("quantization_config", None)
    config.pop("expert_dtype", None)
    (out / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    if (model / "tokenizer.json").exists():
        shutil.copy(model / "tokenizer.json", out)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    arguments = parser.parse_args()
    expand_checkpoint(arguments.model, arguments.out, getattr(torch, arguments.dtype))


if __name__ == "__main__":
    main()
