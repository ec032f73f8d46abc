"""Reads and writes checkpoints with the official tensor names; the storage types that torch's own reader lacks are packed here."""

import json
import struct

import numpy as np
import torch

from quant import weight_fp4, weight_fp4_scale, weight_fp8, weight_fp8_scale

E2M1_VALUES = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], dtype=torch.float32)
TORCH_TYPES = {
    "BF16": torch.bfloat16, "F32": torch.float32, "I64": torch.int64, "I8": torch.uint8,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E8M0": torch.uint8,
}  # fmt: skip


def read_tensors(path: str) -> dict:
    """name -> (type, tensor); I8 and F8_E8M0 come as their bytes."""
    with open(path, "rb") as f:
        header_bytes = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(header_bytes))
        data = f.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.uint8).view(TORCH_TYPES[entry["dtype"]])
        tensors[name] = (entry["dtype"], flat.view(entry["shape"]))
    return tensors


def write_tensors(path: str, tensors: dict) -> int:
    """name -> (type, tensor). Returns the file's bytes."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, (kind, tensor) in tensors.items():
        size_bytes = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [offset, offset + size_bytes]}
        offset += size_bytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)))
        f.write(text)
        for _, tensor in tensors.values():
            f.write(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return f.tell()


def decode(tensors: dict) -> dict:
    """Every weight as float32, scales multiplied in; integer tables as they are."""
    plain = {}
    for name, (kind, tensor) in tensors.items():
        if name.endswith(".scale") and kind == "F8_E8M0":
            continue
        scale = tensors.get(name.removesuffix("weight") + "scale", (None, None))[1]
        if scale is not None:
            scale = torch.from_numpy(np.ldexp(np.float32(1), scale.numpy().astype(np.int32) - 127))
        if kind == "F8_E4M3":
            full = scale.repeat_interleave(128, 0)[: tensor.shape[0]].repeat_interleave(128, 1)[:, : tensor.shape[1]]
            plain[name] = tensor.float() * full
        elif kind == "I8":
            codes = torch.stack([tensor & 15, tensor >> 4], -1).flatten(-2).long()
            plain[name] = (E2M1_VALUES[codes].unflatten(-1, (-1, 32)) * scale.unsqueeze(-1)).flatten(-2)
        else:
            plain[name] = tensor if kind == "I64" else tensor.float()
    return plain


def load_model(model, plain: dict, dtype) -> None:
    """Fills a DeepseekV4 from decoded official tensors; every tensor must be used exactly once."""
    state, left = {}, dict(plain)
    count = model.config.n_routed_experts
    for name in model.state_dict():
        stem, _, last = name.rpartition(".")
        if last in ("w13", "w2") and stem.endswith("experts"):
            shared = stem.endswith("shared_experts")
            stems = [stem] if shared else [f"{stem}.{i}" for i in range(count)]
            parts = ("w1", "w3") if last == "w13" else ("w2",)
            stack = [torch.cat([left.pop(f"{s}.{p}.weight") for p in parts]) for s in stems]
            state[name] = stack[0] if shared else torch.stack(stack)
        else:
            state[name] = left.pop(name)
    if left:
        raise ValueError(f"unused tensors: {sorted(left)}")
    model.to(dtype)
    model.load_state_dict(state)


STORE_FP8 = ("wq_a", "wq_b", "wkv", "wo_a", "wo_b")


def storage_of(name: str) -> str:
    """How a parameter of the model is stored: fp8, fp4, bf16, f32 or i64."""
    if ".shared_experts." in name:
        return "fp8"
    if ".experts." in name:
        return "fp4"
    if ".compressor." not in name and name.split(".")[-2:-1] and name.split(".")[-2] in STORE_FP8:
        return "fp8"
    if name.endswith("tid2eid"):
        return "i64"
    if name.endswith(("_fn", "_base", "_scale", "attn_sink", ".ape", "gate.bias")):
        return "f32"
    return "bf16"


def stored_value(name: str, value: torch.Tensor) -> torch.Tensor:
    """What the stored form of a float32 value decodes to."""
    kind = storage_of(name)
    if kind == "fp8":
        if name.endswith("w13"):  # w1 and w3 are separate tensors with their own tiles
            return torch.cat([weight_fp8(part) for part in value.chunk(2)])
        return weight_fp8(value)
    if kind == "fp4":
        return weight_fp4(value)
    if kind == "bf16" or name.endswith("_fn"):  # the mixing matrices are trained in BF16 although stored in F32
        return value.to(torch.bfloat16).float()
    return value


def pack_fp8(value):
    scale = weight_fp8_scale(value)
    full = scale.repeat_interleave(128, 0)[: value.shape[0]].repeat_interleave(128, 1)[:, : value.shape[1]]
    return (value / full).to(torch.float8_e4m3fn), scale_bytes(scale)


def pack_fp4(value):
    scale = weight_fp4_scale(value)
    x = (value.unflatten(-1, (-1, 32)) / scale.unsqueeze(-1)).flatten(-2)
    code = torch.bucketize(x.abs(), E2M1_VALUES[:8]).to(torch.uint8)
    code = torch.where(torch.signbit(x) & (code > 0), code + 8, code)
    return code[..., 0::2] | (code[..., 1::2] << 4), scale_bytes(scale)


def scale_bytes(scale):
    return (scale.view(torch.int32) >> 23).to(torch.uint8)


def pack_model(state: dict) -> dict:
    """Model state (values that are already on their grids) -> name -> (type, tensor) in official form."""
    tensors = {}

    def put(name, value, kind):
        if kind in ("fp8", "fp4"):
            packed, scale = pack_fp8(value) if kind == "fp8" else pack_fp4(value)
            tensors[name] = ("F8_E4M3" if kind == "fp8" else "I8", packed)
            tensors[name.removesuffix("weight") + "scale"] = ("F8_E8M0", scale)
        elif kind == "i64":
            tensors[name] = ("I64", value)
        else:
            tensors[name] = (kind.upper(), value.to(TORCH_TYPES[kind.upper()]))

    for name, value in state.items():
        kind = storage_of(name)
        value = value if kind == "i64" else value.float()
        stem, _, last = name.rpartition(".")
        if kind in ("fp8", "fp4") and last in ("w13", "w2"):
            stacks = [(stem, value)] if ".shared_experts" in name else [(f"{stem}.{i}", v) for i, v in enumerate(value)]
            for s, v in stacks:
                for part, x in zip(("w1", "w3"), v.chunk(2)) if last == "w13" else (("w2", v),):
                    put(f"{s}.{part}.weight", x, kind)
        else:
            put(name, value, kind)
    return tensors
