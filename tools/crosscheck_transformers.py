#!/usr/bin/env python3
"""Compares Kvasir's logits with Hugging Face transformers' deepseek_v4, token by token.

  tools/crosscheck_transformers.py --kvasir build/release/kvasir [--tokens N] [--seeds 1 2] [--only NAME]
  tools/crosscheck_transformers.py --kvasir build/release/kvasir --model DIR [--token-file FILE]
  tools/crosscheck_transformers.py --kvasir build/release/kvasir --parts

Without --model, builds small random models of many shapes, saves each by save_pretrained in three
spellings, and runs both engines on the same tokens. With --model, both run that checkpoint (an FP8/FP4 one
is expanded first, value for value). --parts instead asks whether the comparison would notice: it resets
one kind of parameter after another to its neutral value and demands that the logits move.

rel = RMS(difference) / standard deviation of the reference's logits, per token. The reference is
transformers' modelling code in float64, one forward without a cache; see transformers_reference.py.
Kvasir runs with --kv f32, since transformers has no cache grids.

Bounds: median and worst rel below, the same top-1 token, equal bits from the spellings that store equal
values. A choice (of experts, of compressed rows) whose runner-up is closer than float32 can tell may fall
to either side; from such a token on the worst rel has no bound, and the table says from where ("near tie").
Exactly equal index scores are no such case: the lower row wins in Kvasir, and the reference is told to do
the same. transformers by itself leaves them to torch.topk, so its own float32 may differ widely there.
"""

import argparse
import dataclasses
import pathlib
import sys
import tempfile

import numpy as np
import torch
from transformers import DeepseekV4ForCausalLM
from transformers.utils import logging

import expand_checkpoint
import tiny_models
import transformers_reference as reference
from kvasir_logits import run_kvasir

MEDIAN_MAX = 2e-6
WORST_MAX = 1e-5
TOP1_MIN = 0.998
NEAR_TIE = 2e-6
PART_MIN = 1000 * WORST_MAX
DECODED_TOKENS = 20


@dataclasses.dataclass
class Difference:
    """How one set of logits differs from the reference."""

    rel: np.ndarray
    top1: float

    def __str__(self):
        worst = int(self.rel.argmax())
        return (f"median {np.median(self.rel):.1e}  worst {self.rel[worst]:.1e} at token {worst:4d}  "
                f"top-1 {self.top1:.4f}")


def difference(ours, theirs):
    rel = np.sqrt(((ours.astype(np.float64) - theirs) ** 2).mean(-1)) / theirs.std()
    return Difference(rel, float((ours.argmax(-1) == theirs.argmax(-1)).mean()))


def near_ties(choices):
    return np.flatnonzero(choices.gap.numpy() < NEAR_TIE)


def is_within_bounds(found, choices):
    """Up to the first near tie every token is bound; the median is bound anyway."""
    ties = near_ties(choices)
    bound_tokens = int(ties[0]) if len(ties) else len(choices.gap)
    worst = found.rel[:bound_tokens].max(initial=0.0)
    return bool(np.median(found.rel) <= MEDIAN_MAX and worst <= WORST_MAX and found.top1 >= TOP1_MIN)


def describe_choices(choices):
    ties, closest = near_ties(choices), float(choices.gap.min())
    parts = [f"closest choice {closest:.1e}" if np.isfinite(closest) else "no choices",
             f"near ties: {len(ties)}" + (f", first at token {ties[0]}" if len(ties) else "")]
    if choices.is_tied.any():
        parts.append(f"tokens with equal scores: {int(choices.is_tied.sum())}")
    return "; ".join(parts)


def round_to_bf16(model):
    """The same values can then be stored as F32 and as BF16."""
    with torch.no_grad():
        for tensor in list(model.parameters()) + [b for n, b in model.named_buffers() if "bias" in n]:
            tensor.copy_(tensor.to(torch.bfloat16).to(tensor.dtype))


def save_spellings(model, folder):
    """(what, folder, chunk) of one model saved in every way transformers offers."""
    saved = [("official F32", folder / "official", 256), ("run-time F32", folder / "run-time", 61),
             ("official BF16", folder / "official-bf16", 256)]
    model.save_pretrained(saved[0][1])
    model.save_pretrained(saved[1][1], save_original_format=False)
    tiny_models.save_bfloat16(model, saved[2][1])
    return saved


def report(what, found, good):
    print(f"  {what:<62} {found}{'' if good else '  <-- OUT OF BOUNDS'}", flush=True)
    return good


def check_shape(arguments, shape, seed, folder):
    """All comparisons of one random model; true when Kvasir is within bounds."""
    model = tiny_models.make_model(shape, seed)
    round_to_bf16(model)
    tokens = tiny_models.make_tokens(shape, seed, arguments.tokens or shape.token_count)
    print(f"{shape.name}, seed {seed}: ratios {','.join(map(str, shape.ratios))}, "
          f"{shape.hash_layer_count} hash layers, window {model.config.sliding_window}, "
          f"index top-k {model.config.index_topk}, {len(tokens)} tokens")
    wide, choices = reference.logits_float64(model, tokens)
    print(f"  {describe_choices(choices)}")
    narrow = reference.logits_float32(model, tokens)
    report("transformers float32", difference(narrow, wide), True)
    cached = reference.logits_float32_cached(model, tokens, DECODED_TOKENS)
    report("transformers float32, its own cache", difference(cached, wide), True)
    good, first = True, None
    for what, path, chunk in save_spellings(model, folder):
        ours = run_kvasir(arguments, path, tokens, folder, chunk)
        if isinstance(ours, str):
            good = report(f"kvasir, {what}", ours, False)
            continue
        found = difference(ours, wide)
        good &= report(f"kvasir, {what}, chunk {chunk}", found, is_within_bounds(found, choices))
        if first is None:
            first = ours
        elif what.endswith("F32") and not np.array_equal(first, ours):
            good = report(f"kvasir, {what}", "not the bits of the first spelling", False)
    return good


def check_shapes(arguments):
    results = []
    for shape in tiny_models.SHAPES:
        if arguments.only and shape.name not in arguments.only:
            continue
        for seed in arguments.seeds:
            with tempfile.TemporaryDirectory() as name:
                results.append(check_shape(arguments, shape, seed, pathlib.Path(name)))
    return results


def read_tokens(arguments, vocab_size):
    if arguments.token_file:
        tokens = torch.tensor([int(word) for word in arguments.token_file.read_text().split()])
        return tokens[: arguments.tokens] if arguments.tokens else tokens
    generator = torch.Generator().manual_seed(arguments.seeds[0])
    return torch.randint(0, vocab_size, (arguments.tokens or 1000,), generator=generator)


def check_checkpoint(arguments, folder):
    """Both engines on an existing checkpoint; Kvasir on its original storage too."""
    expanded = folder / "expanded"
    expand_checkpoint.expand_checkpoint(arguments.model, expanded, torch.bfloat16)
    model = DeepseekV4ForCausalLM.from_pretrained(expanded, dtype=torch.float32).eval()
    tokens = read_tokens(arguments, model.config.vocab_size)
    print(f"{arguments.model}: {len(tokens)} tokens")
    wide, choices = reference.logits_float64(model, tokens)
    print(f"  {describe_choices(choices)}")
    report("transformers float32", difference(reference.logits_float32(model, tokens), wide), True)
    good = True
    for what, path in (("expanded to BF16", expanded), ("original storage", arguments.model)):
        ours = run_kvasir(arguments, path, tokens, folder, 256)
        if isinstance(ours, str):
            good = report(f"kvasir, {what}", ours, False)
            continue
        found = difference(ours, wide)
        good &= report(f"kvasir, {what}", found, is_within_bounds(found, choices))
    return good


def part_of(name):
    """The kind of a parameter: its name without the layer's number."""
    return ".".join(word for word in name.split(".") if not word.isdigit())


def check_parts(arguments):
    """Every kind of parameter, made neutral, must move the logits far beyond the bounds."""
    shape = next(s for s in tiny_models.SHAPES if s.name == "flash-like")
    model = tiny_models.make_model(shape, arguments.seeds[0])
    tokens = tiny_models.make_tokens(shape, arguments.seeds[0], arguments.tokens or 400)
    before = reference.logits_float32(model, tokens)
    state = model.state_dict()
    good = True
    for part in dict.fromkeys(part_of(name) for name in state):
        kept = {name: tensor.clone() for name, tensor in state.items() if part_of(name) == part}
        with torch.no_grad():
            for name in kept:
                state[name].fill_(1 if "norm" in part else 0)
            found = difference(reference.logits_float32(model, tokens), before)
            for name, tensor in kept.items():
                state[name].copy_(tensor)
        figures = f"median {np.median(found.rel):.1e}  worst {found.rel.max():.1e}"
        good &= report(part.removeprefix("model."), figures, found.rel.max() >= PART_MIN)
    return good


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvasir", required=True)
    parser.add_argument("--tokens", type=int, help="length of every sequence instead of each shape's own")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", choices=[shape.name for shape in tiny_models.SHAPES])
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("--token-file", type=pathlib.Path)
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--isa", default="auto")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if arguments.parts:
        results = [check_parts(arguments)]
    elif arguments.model:
        with tempfile.TemporaryDirectory() as name:
            results = [check_checkpoint(arguments, pathlib.Path(name))]
    else:
        results = check_shapes(arguments)
    print(f"within bounds: {sum(results)} of {len(results)}")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
