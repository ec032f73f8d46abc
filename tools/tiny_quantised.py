"""The small decoders of tiny_decoders.py with quantised matrices, in the forms in which checkpoints are published.

Codes and scales are chosen by rules of our own; the oracle is the model of the numbers that they stand for,
decoded here: code * scale in float32. Where transformers decodes a form itself on a CPU, both must agree.
"""

import contextlib
import json
import math

import torch
from safetensors.torch import load_file, save_file
from transformers import Mxfp4Config
from transformers.integrations.finegrained_fp8 import Fp8Dequantize
from transformers.models.llama import modeling_llama

import tiny_decoders

FP4_VALUES = torch.tensor([0, .5, 1, 1.5, 2, 3, 4, 6])


def is_linear(name, tensor):
    """Of a layer's products: neither embedding nor head, no norm, no router."""
    is_router = name.endswith(("mlp.gate.weight", "router.weight"))
    return tensor.dim() == 2 and ".layers." in name and name.endswith(".weight") and not is_router


def tiles_of(weight, rows, cols):
    """[row tiles, rows of one, column tiles, columns of one], filled up with zeros. None: all of them."""
    rows, cols = rows or weight.shape[0], cols or weight.shape[1]
    filled = torch.zeros([math.ceil(weight.shape[0] / rows) * rows, math.ceil(weight.shape[1] / cols) * cols])
    filled[:weight.shape[0], :weight.shape[1]] = weight
    return filled.reshape(filled.shape[0] // rows, rows, filled.shape[1] // cols, cols)


def eight_bits(weight, rows=None, cols=None, code=torch.float8_e4m3fn, scale_type=torch.float32):
    """Codes, scales [row tiles, column tiles], and the numbers that they stand for."""
    largest = 127 if code == torch.int8 else 448
    tiles = tiles_of(weight.float(), rows, cols)
    scales = (tiles.abs().amax(dim=(1, 3), keepdim=True) / largest).to(scale_type).float()
    codes = (tiles / scales).clamp(-largest, largest)
    codes = (codes.round() if code == torch.int8 else codes).to(code)
    height, width = weight.shape
    whole = (tiles.shape[0] * tiles.shape[1], tiles.shape[2] * tiles.shape[3])
    numbers = (codes.float() * scales).reshape(whole)[:height, :width]
    return (codes.reshape(whole)[:height, :width].contiguous(), scales[:, 0, :, 0].to(scale_type).contiguous(),
            numbers.contiguous())


def linears(config, scale_name=".weight_scale", shape=None, extra=(), **form):
    """A form in which every linear module has codes and scales. shape: of scales, [row tiles, column tiles] if None."""
    def quantise(tensors):
        stored, plain = {}, {}
        for name, tensor in tensors.items():
            stored[name] = plain[name] = tensor
            if not is_linear(name, tensor):
                continue
            stored[name], scales, plain[name] = eight_bits(tensor, **form)
            stem = name.removesuffix(".weight")
            stored[stem + scale_name] = scales if shape is None else scales.reshape(shape)
            stored |= {stem + suffix: torch.tensor([0.37]) for suffix in extra}
        return stored, plain
    return {"quantization_config": config}, quantise


def mxfp4(numbers):
    """[..., 32 n] -> codes [..., n, 16], an exponent for each 32 [..., n], and what they stand for."""
    groups = numbers.float().reshape(*numbers.shape[:-1], -1, 32)
    exponents = torch.ceil(torch.log2(groups.abs().amax(-1, keepdim=True) / 6))
    scaled = groups / 2**exponents
    codes = (scaled.abs()[..., None] - FP4_VALUES).abs().argmin(-1)
    plain = (FP4_VALUES[codes] * scaled.sign() * 2**exponents).reshape(numbers.shape)
    codes = codes + 8 * (scaled < 0)
    return (codes[..., 0::2] + 16 * codes[..., 1::2]).to(torch.uint8), (exponents[..., 0] + 127).to(torch.uint8), plain


def quantise_gpt_oss(tensors):
    stored, plain = {}, {}
    for name, tensor in tensors.items():
        plain[name] = tensor
        if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            stored[name] = tensor
            continue
        # Stored with the outputs first.
        stored[name + "_blocks"], stored[name + "_scales"], numbers = mxfp4(tensor.transpose(1, 2).contiguous())
        plain[name] = numbers.transpose(1, 2).contiguous()
    return stored, plain


def compressed(strategy, kind, **more):
    weights = {"num_bits": 8, "type": kind, "strategy": strategy, "symmetric": True, "dynamic": False} | more
    return {"quant_method": "compressed-tensors", "quantization_status": "compressed",
            "format": f"{kind}-quantized", "ignore": ["lm_head", "re:.*mlp.gate$"], "kv_cache_scheme": None,
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": {
                "num_bits": 8, "type": kind, "strategy": "token", "dynamic": True}}}}


def with_cache(form, key_scale, value_scale):
    """The form, with a cache in E4M3 and scales of its rows in each layer."""
    config, quantise = form
    def quantise_all(tensors):
        stored, plain = quantise(tensors)
        for name in tensors:
            if name.endswith("self_attn.o_proj.weight"):
                stem = name.removesuffix("o_proj.weight")
                stored |= {stem + "k_scale": torch.tensor([key_scale]), stem + "v_scale": torch.tensor([value_scale])}
        return stored, plain
    scheme = {"num_bits": 8, "type": "float", "strategy": "tensor", "dynamic": False, "symmetric": True}
    return {"quantization_config": config["quantization_config"] | {"kv_cache_scheme": scheme}}, quantise_all


@contextlib.contextmanager
def cached_rows(key_scale, value_scale):
    """Llama's attention reads keys and values as they come out of a cache in E4M3."""
    attend = modeling_llama.eager_attention_forward

    def through_cache(rows, scale):
        scale = torch.tensor(scale, dtype=torch.float32)
        codes = (rows.float() / scale).clamp(-448, 448).to(torch.float8_e4m3fn)
        return (codes.float() * scale).to(rows.dtype)

    def attend_cached(module, query, key, value, *rest, **named):
        return attend(module, query, through_cache(key, key_scale), through_cache(value, value_scale), *rest, **named)
    modeling_llama.eager_attention_forward = attend_cached
    try:
        yield
    finally:
        modeling_llama.eager_attention_forward = attend


FP8 = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "static"}

# A model of tiny_decoders.py, fields of its config, and the form.
CASES = {
    "llama_fp8_tensor": {
        "model": "llama", "form": linears(FP8 | {"weight_block_size": None}, ".weight_scale_inv", shape=[],
                                          extra=[".activation_scale"])},
    "deepseek_v3_fp8_blocks": {
        "model": "deepseek_v3", "form": linears(FP8 | {"weight_block_size": [4, 16]}, ".weight_scale_inv",
                                                rows=4, cols=16)},
    "phi3_fp8_channel": {
        "model": "phi3", "form": linears({"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0},
                                         extra=[".input_scale_ub"], rows=1)},
    "qwen3_moe_fp8_channel": {
        "model": "qwen3_moe", "form": linears(compressed("channel", "float"), rows=1, scale_type=torch.bfloat16)},
    "gemma2_fp8_group": {
        "model": "gemma2", "form": linears(compressed("group", "float", group_size=16), rows=1, cols=16,
                                           scale_type=torch.float16)},
    "qwen2_int8": {
        "model": "qwen2", "form": linears(compressed("channel", "int"), rows=1, code=torch.int8)},
    # The largest key and value are cut off: the scales must be the right ones.
    "llama_fp8_cache": {
        "model": "llama", "cache": (0.0045, 0.0021),
        "form": with_cache(linears(compressed("tensor", "float"), shape=[1]), 0.0045, 0.0021)},
    "gpt_oss_mxfp4": {
        "model": "gpt_oss", "fields": {"intermediate_size": 32},
        "form": ({"quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": [
            "model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]}},
            quantise_gpt_oss)},
}


def check_fp8(stored, plain, block_size):
    """transformers decodes FP8 with weight_scale_inv to the same numbers. It takes whole blocks alone."""
    for name, codes in stored.items():
        scales = stored.get(f"{name}_scale_inv")
        if scales is None or any(size % block for size, block in zip(codes.shape, block_size or [])):
            continue
        theirs = Fp8Dequantize(None).convert({"weight": codes, "weight_scale_inv": scales})
        assert torch.equal(theirs["weight"], plain[name]), f"transformers decodes {name} otherwise"


def write(name, seed, folder, plain_folder):
    """A quantised checkpoint, and a plain one of the numbers that it stands for."""
    case = CASES[name]
    model = tiny_decoders.build(case["model"], seed, case.get("fields"))
    model.to(torch.bfloat16).save_pretrained(plain_folder)
    fields, quantise = case["form"]
    stored, plain = quantise(load_file(plain_folder / "model.safetensors"))
    check_fp8(stored, plain, fields["quantization_config"].get("weight_block_size"))
    folder.mkdir(parents=True, exist_ok=True)
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    save_file(plain, plain_folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((plain_folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | fields, indent=2) + "\n", encoding="utf-8")


def reference_logits(name, folder, plain_folder, tokens):
    """In float64, of the numbers decoded here; of MXFP4 checked against transformers' reading of the stored ones."""
    ours = tiny_decoders.reference_logits(plain_folder, tokens)
    if "mxfp4" in name:
        theirs = tiny_decoders.reference_logits(folder, tokens, quantization_config=Mxfp4Config(dequantize=True))
        worst = abs(theirs - ours).max() / ours.std()
        assert worst < 1e-9, f"{name}: transformers decodes it otherwise, logits are {worst} apart"
    return ours


def native_logits(name, plain_folder, tokens):
    """The same with rows as the checkpoint fixes them in its cache; None where it fixes nothing."""
    if "cache" not in CASES[name]:
        return None
    with cached_rows(*CASES[name]["cache"]):
        return tiny_decoders.reference_logits(plain_folder, tokens)
