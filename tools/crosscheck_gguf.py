#!/usr/bin/env python3
"""Compares what Kvasir computes from a GGUF file with what it computes from the checkpoint that was converted.

  tools/crosscheck_gguf.py --kvasir build/release/kvasir --converter LLAMA_CPP [--lengths 1 129 300] [--only NAME ...]

LLAMA_CPP is the folder of llama.cpp's sources that holds convert_hf_to_gguf.py and conversion/ (the source package
llama-cpp-python has it as vendor/llama.cpp). That converter writes the files that people hold. Here it converts
small random models of every architecture (tiny_decoders.py); their numbers are rounded to float16 first, so that F32
and F16 files hold the same ones. Only the vocabulary is not the converter's, which knows published tokenizers alone.
rel = RMS(difference) / standard deviation of the logits, per token; the worst counts, but of Q8_0 files, whose tokens
may go to other experts, the median. Exit status 1 when one is out of bounds, or when the plan of a file does not state
the cache that the checkpoint's plan states.
"""

import argparse
import json
import logging
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers

import tiny_decoders
import tiny_quantised
from kvasir_logits import run_kvasir

REL_MAX = {"f32": 1e-5, "f16": 1e-5, "q8_0": 0.25}
OPTIONS = {"": {}, "fused": {"fuse_qkv": True}}
TOKENS = 96

LONGROPE = {"rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 128,
            "short_factor": [1.0, 1.1, 1.3, 1.7], "long_factor": [1.0, 1.5, 4.0, 8.0]}
PHI3 = {"pad_token_id": 0, "original_max_position_embeddings": 4096, "sliding_window": None}
SIGMOID = {"scoring_func": "sigmoid"}

# Fields that differ from those of tiny_decoders: files cannot say more, or the converter asks for it. "of": the case
# whose fields these change.
CASES = {
    "llama": {},
    "llama_3": {},
    "llama_yarn": {},
    "llama_yarn_factor": {"of": "llama_yarn", "rope_parameters": tiny_decoders.YARN | {"attention_factor": 1.2}},
    "llama_linear": {},
    "mistral": {"sliding_window": None},
    "mixtral": {},
    "qwen2": {},
    "qwen2_moe": {"mlp_only_layers": []},
    "qwen3": {},
    "qwen3_moe": {"decoder_sparse_step": 1},
    "smollm3": {},
    "gemma": {"of": "gemma2"},
    "gemma2": {"query_pre_attn_scalar": 12},
    "gemma3_text": {"query_pre_attn_scalar": 12, "num_hidden_layers": 7,
                    "layer_types": 5 * ["sliding_attention"] + ["full_attention", "sliding_attention"]},
    "phi3": PHI3,
    "phi3_window": {"of": "phi3"} | PHI3 | {"sliding_window": 50},
    "phi3_partial": PHI3 | {"num_attention_heads": 2},
    "phi3_long": {"of": "phi3"} | PHI3 | {"rope_parameters": LONGROPE, "original_max_position_embeddings": 128},
    "phi3_short": {"of": "phi3"} | PHI3 | {"rope_parameters": LONGROPE, "original_max_position_embeddings": 128,
                                           "max_position_embeddings": 128},
    "granite": {},
    "starcoder2": {"sliding_window": None},
    "falcon_mqa": {"num_kv_heads": 1},
    "falcon_gqa": {"bias": False},
    "falcon_one_norm": {"of": "falcon_gqa", "num_ln_in_parallel_attn": 1, "bias": False},
    "gpt_bigcode": {},
    "gpt2": {"n_ctx": 2048},
    "gpt_oss": {},
    "gpt_oss_mxfp4": {},
    "olmo2": {},
    "olmo3": {},
    "glm4_moe": SIGMOID,
    "glm4_moe_plain": {"of": "glm4_moe", "use_qk_norm": False, "norm_topk_prob": False, "n_group": 1} | SIGMOID,
    "deepseek_v2": {"scoring_func": "softmax", "norm_topk_prob": False},
    "deepseek_v2_groups": {"scoring_func": "softmax", "norm_topk_prob": False},
    "deepseek_v3": SIGMOID,
    "deepseek_v3_plain": {"of": "deepseek_v3", "q_lora_rank": None, "norm_topk_prob": False,
                          "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}} | SIGMOID,
    "deepseek_v32": SIGMOID,
    "glm_moe_dsa": {"mlp_layer_types": ["dense", "sparse", "sparse"], "first_k_dense_replace": 1} | SIGMOID,
    "glm_moe_dsa_shared": SIGMOID,
}


def save_checkpoint(name, folder):
    """A small model as save_pretrained writes it, with what a published config states besides."""
    if name in tiny_quantised.CASES:
        tiny_quantised.write(name, 1, folder, folder.with_name("plain"))
        return
    fields = dict(CASES[name])
    case = fields.pop("of", name)
    if case == "gemma2" and name == "gemma":
        fields["model_type"] = "gemma"
    model = tiny_decoders.build(case, 1, fields)
    with torch.no_grad():
        for parameter in list(model.parameters()) + list(model.buffers()):
            parameter.copy_(parameter.half().to(parameter.dtype))
    model.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({k: v for k, v in fields.items() if v is not None} | config), encoding="utf-8")
    vocabulary = {str(token): token for token in range(TOKENS)}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}, "added_tokens": []}),
                                           encoding="utf-8")


def write_vocabulary(writer):
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([f"t{token}" for token in range(TOKENS)])
    writer.add_token_types(TOKENS * [1])
    writer.add_token_merges(["t 1"])


class Converter:
    """llama.cpp's converter, loaded from its folder."""

    def __init__(self, folder):
        sys.path[:0] = [str(folder), str(folder / "gguf-py")]
        import conversion
        import gguf
        self.conversion = conversion
        self.types = {"f32": gguf.LlamaFileType.ALL_F32, "f16": gguf.LlamaFileType.MOSTLY_F16,
                      "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}
        logging.getLogger("hf-to-gguf").setLevel(logging.ERROR)
        logging.getLogger("gguf.gguf_writer").setLevel(logging.ERROR)

    def convert(self, checkpoint, kind, path, options):
        base = self.conversion.ModelBase
        hparams = base.load_hparams(checkpoint, False)
        architecture = self.conversion.get_model_architecture(hparams, self.conversion.ModelType.TEXT)
        model_class = self.conversion.get_model_class(architecture)
        with torch.inference_mode():
            model = model_class(checkpoint, self.types[kind], path, **options)
            model.set_vocab = lambda: write_vocabulary(model.gguf_writer)
            model.prepare_tensors()
            model.prepare_metadata(vocab_only=False)
            model.gguf_writer.write_header_to_file(path=path)
            model.gguf_writer.write_kv_data_to_file()
            model.gguf_writer.write_tensors_to_file()
            model.gguf_writer.close()


def plan_of(arguments, model):
    """Layers, longest context and the bytes of the cache, as `kvasir plan` states them."""
    command = [arguments.kvasir, "plan", str(model), "--context", "300", "--kv", "f16", "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        return run.stderr.strip()
    plan = json.loads(run.stdout)
    return plan["layers"], plan["context_tokens_max"], plan["bill"]["lines"], plan["bill"]["ram_bytes"]


def compare(arguments, name, converter, folder):
    """Prints a line for each file. Returns whether all is within bounds."""
    checkpoint = folder / "model"
    checkpoint.mkdir()
    save_checkpoint(name, checkpoint)
    is_good = True
    # Narrower types round what is not quantised.
    kinds = ["f32"] if name in tiny_quantised.CASES else arguments.types
    for kind, options in [(kind, "") for kind in kinds] + [("f32", "fused")]:
        path = folder / f"{kind}{options}.gguf"
        converter.convert(checkpoint, kind, path, OPTIONS[options])
        is_good = compare_file(arguments, f"{name:20} {kind:5} {options:6}", kind, checkpoint, path) and is_good
    return is_good


def compare_file(arguments, label, kind, checkpoint, path):
    pick = np.median if kind == "q8_0" else np.max
    found_rel = []
    for length in arguments.lengths:
        tokens = np.random.default_rng(length).integers(0, TOKENS, length)
        wanted = run_kvasir(arguments, checkpoint, tokens, path.parent, 256)
        found = run_kvasir(arguments, path, tokens, path.parent, 256)
        for logits in (wanted, found):
            if isinstance(logits, str):
                print(f"{label} {logits}")
                return False
        found_rel.append(pick(np.sqrt(((found - wanted) ** 2).mean(-1)) / wanted.std()))
    plans = [plan_of(arguments, model) for model in (checkpoint, path)]
    is_within = max(found_rel) <= REL_MAX[kind]
    print(f"{label} rel " + " ".join(f"{rel:.1e}" for rel in found_rel) + ("" if is_within else " OUT OF BOUNDS") +
          ("" if plans[0] == plans[1] else f" PLANS DIFFER {plans}"))
    return is_within and plans[0] == plans[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvasir", required=True)
    parser.add_argument("--converter", required=True, type=pathlib.Path)
    parser.add_argument("--isa", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1, 129, 300])
    parser.add_argument("--types", nargs="+", default=list(REL_MAX), choices=list(REL_MAX))
    parser.add_argument("--only", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--keep", type=pathlib.Path, help="a folder in which the models are left")
    arguments = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    converter = Converter(arguments.converter)
    bad = []
    for name in arguments.only:
        with tempfile.TemporaryDirectory() as temporary:
            folder = arguments.keep / name if arguments.keep else pathlib.Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            if not compare(arguments, name, converter, folder):
                bad.append(name)
    print(f"out of bounds: {', '.join(bad)}" if bad else "all within bounds")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
