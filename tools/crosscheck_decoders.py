#!/usr/bin/env python3
"""Compares Kvasir's logits with Hugging Face transformers' for every kind of dense and expert decoder.

  tools/crosscheck_decoders.py --kvasir build/release/kvasir [--lengths 1 127 ...] [--seeds 1 2] [--only NAME ...]
  tools/crosscheck_decoders.py --kvasir build/release/kvasir --model DIR --lengths 300

Builds small random models (tiny_decoders.py, and tiny_quantised.py with quantised matrices), saves each, and runs
both engines on the same tokens; Kvasir with --kv f32, in chunks of two sizes whose logits must be equal bit for bit.
With --model, both run that checkpoint. rel = RMS(difference) / standard deviation of the reference's logits, per token; the
reference is transformers' modelling code in float64. Where an indexer scores two rows
alike but for rounding, either may be picked: then the first token out of bounds has to be one of these, and those
before it and most of all others have to be within. Exit status 1 when one is out of bounds.
"""

import argparse
import functools
import pathlib
import sys
import tempfile

import numpy as np
from transformers.utils import logging

import tiny_decoders
import tiny_quantised
from kvasir_logits import run_kvasir

WORST_MAX = 1e-5
NEAR_TIE = 1e-6  # of the largest score of a token
LENGTHS = [1, 127, 128, 129, 300, 1100]


def bad_token(rel, margins):
    """The first token out of bounds for which no near tie of its own accounts; None: there is none."""
    if rel.max() <= WORST_MAX:
        return None
    first = int((rel > WORST_MAX).argmax())
    is_near = np.median(rel) <= WORST_MAX and any(layer[first] < NEAR_TIE for layer in margins)
    return None if is_near else first


def compare(arguments, name, model, reference, seed, folder):
    """Prints a line for each length. Returns whether all is within bounds."""
    is_good = True
    for length in arguments.lengths:
        tokens = np.random.default_rng(seed).integers(0, arguments.vocab, length)
        ours = run_kvasir(arguments, model, tokens, folder, 256)
        if isinstance(ours, str):
            print(f"{name:20} {ours}")
            return False
        margins = []
        with tiny_decoders.recorded_margins(margins):
            theirs = reference(tokens)
        rel = np.sqrt(((ours - theirs) ** 2).mean(-1)) / theirs.std()
        same = np.array_equal(run_kvasir(arguments, model, tokens, folder, 37), ours)
        is_within = bad_token(rel, margins) is None and same
        is_good = is_good and is_within
        note = "near tie " if is_within and rel.max() > WORST_MAX else ""
        print(f"{name:20} seed {seed} {length:5} tokens  median {np.median(rel):.1e}  worst {rel.max():.1e} at "
              f"{rel.argmax():4}  {note}{'' if same else 'chunks differ '}{'' if is_within else 'OUT OF BOUNDS'}")
    return is_good


def build(name, seed, model, plain):
    """Writes a case's checkpoint. Returns what gives the reference's logits."""
    if name in tiny_quantised.CASES:
        tiny_quantised.write(name, seed, model, plain)
        return lambda tokens: tiny_quantised.reference_logits(name, model, plain, tokens)
    tiny_decoders.build(name, seed).save_pretrained(model)
    return lambda tokens: tiny_decoders.reference_logits(model, tokens)


def main():
    cases = [*tiny_decoders.CASES, *tiny_quantised.CASES]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvasir", required=True)
    parser.add_argument("--isa", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--only", nargs="+", default=cases, choices=cases)
    parser.add_argument("--model", help="a checkpoint directory instead of random models")
    parser.add_argument("--vocab", type=int, default=96, help="token ids below this are drawn")
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    bad = []
    for seed in arguments.seeds:
        for name in [arguments.model] if arguments.model else arguments.only:
            with tempfile.TemporaryDirectory() as folder:
                folder = pathlib.Path(folder)
                model = pathlib.Path(name) if arguments.model else folder / "model"
                reference = (functools.partial(tiny_decoders.reference_logits, model) if arguments.model
                             else build(name, seed, model, folder / "plain"))
                if not compare(arguments, name, model, reference, seed, folder):
                    bad.append(name)
    print(f"out of bounds: {', '.join(bad)}" if bad else "all within bounds")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
