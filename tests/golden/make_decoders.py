#!/usr/bin/env python3
"""Writes tests/golden/decoders: a small random model of each kind with transformers' logits in float64.

  PYTHONPATH=tools tests/golden/make_decoders.py [NAME ...]

Each folder has config.json, model.safetensors (BF16, or quantised), tokens.txt, positions.txt and logits.npy: float32
[positions, vocab], of the positions where windows and blocks end. logits_native.npy: of a cache that the
checkpoint fixes.
"""

import pathlib
import sys
import tempfile

import numpy as np
import torch
from transformers.utils import logging

import tiny_decoders
import tiny_quantised

TOKENS = 150
POSITIONS = [0, 1, 29, 30, 31, 32, 33, 39, 40, 49, 50, 127, 128, 129, 149]


def write_expected(folder, reference_logits):
    (folder / "generation_config.json").unlink(missing_ok=True)
    tokens = np.random.default_rng(1).integers(0, 96, TOKENS)
    logits = reference_logits(tokens)
    (folder / "tokens.txt").write_text(" ".join(map(str, tokens)) + "\n", encoding="utf-8")
    (folder / "positions.txt").write_text(" ".join(map(str, POSITIONS)) + "\n", encoding="utf-8")
    np.save(folder / "logits.npy", logits[POSITIONS].astype(np.float32))
    return tokens


def write_plain(name, folder):
    tiny_decoders.build(name, seed=1).to(torch.bfloat16).save_pretrained(folder)
    write_expected(folder, lambda tokens: tiny_decoders.reference_logits(folder, tokens))


def write_quantised(name, folder):
    with tempfile.TemporaryDirectory() as plain:
        plain = pathlib.Path(plain)
        tiny_quantised.write(name, 1, folder, plain)
        tokens = write_expected(
            folder, lambda tokens: tiny_quantised.reference_logits(name, folder, plain, tokens))
        native = tiny_quantised.native_logits(name, plain, tokens)
        if native is not None:
            np.save(folder / "logits_native.npy", native[POSITIONS].astype(np.float32))


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    root = pathlib.Path(__file__).parent / "decoders"
    for name in sys.argv[1:] or [*tiny_decoders.CASES, *tiny_quantised.CASES]:
        (write_plain if name in tiny_decoders.CASES else write_quantised)(name, root / name)


if __name__ == "__main__":
    main()
