#!/usr/bin/env python3
"""Compares SmolLM2's logits in each cache precision with a float64 forward pass over the same file.

  ./kvasir.sh fetch smollm2
  tools/crosscheck_smollm2.py --kvasir build/release/kvasir [--kv f32 f16 bf16] [--isa ISA] [--compute f32] [--tokens FILE]
  tools/crosscheck_smollm2.py --write-golden

For each token: rel = RMS(difference) / standard deviation of the exact logits; KL = divergence of Kvasir's
probabilities from the exact ones, in nats; nll = mean loss of the next token. The exact logits come from
llama_reference.py (half a minute). Exit status 1 when f32 is farther off than --worst. With --write-golden the
positions' fingerprints in tests/golden/smollm2 are written anew, and its chats are checked, not written.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile

import numpy as np

from kvasir_logits import run_kvasir
from llama_reference import LlamaReference

GOLDEN = pathlib.Path(__file__).parent.parent / "tests/golden/smollm2"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
MODEL = CACHE / "kvasir-models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
END_OF_TEXT_IDS = (0, 2)
STEP = 16


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def print_row(kv, ours, exact, tokens):
    """Returns the worst rel."""
    rel = np.sqrt(((ours - exact) ** 2).mean(-1)) / exact.std(-1)
    log_ours, log_exact = log_softmax(ours), log_softmax(exact)
    divergence = (np.exp(log_exact) * (log_exact - log_ours)).sum(-1)
    same_top = (ours.argmax(-1) == exact.argmax(-1)).mean()
    loss = -log_ours[np.arange(len(tokens) - 1), tokens[1:]].mean()
    print(f"{kv:8} {np.median(rel):9.1e} {rel.max():9.1e} {divergence.mean():9.1e} "
          f"{np.quantile(divergence, 0.99):9.1e} {divergence.max():9.1e} {same_top:9.1%} {loss:10.5f}", flush=True)
    return rel.max()


def compare(arguments, exact, tokens):
    print(f"{'cache':8} {'rel':>9} {'worst':>9} {'KL mean':>9} {'p99':>9} {'max':>9} {'same top':>9} {'nll':>10}")
    worst = {}
    with tempfile.TemporaryDirectory() as folder:
        for kv in arguments.kv:
            ours = run_kvasir(arguments, arguments.model, tokens, pathlib.Path(folder), 256, kv, arguments.compute)
            if isinstance(ours, str):
                sys.exit(ours)
            worst[kv] = print_row(kv, ours.astype(np.float64), exact, tokens)
    print_row("exact", exact, exact, tokens)
    return worst.get("f32", 0) <= arguments.worst


def mix_bits(x):
    """As base/random.h has it, over an array of uint64."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def fingerprints(logits):
    """64 sums over all logits [positions, vocabulary], each with its own signs."""
    bits = mix_bits(np.arange(logits.shape[-1], dtype=np.uint64))
    signs = 1 - 2 * ((bits[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)).astype(np.float64)
    return logits @ signs


def greedy(reference, ids, count):
    reference.forget()
    logits = reference.append(ids)
    picked = []
    while len(picked) < count:
        picked.append(int(logits[-1].argmax()))
        if picked[-1] in END_OF_TEXT_IDS:
            break
        logits = reference.append(picked[-1:])
    return picked


def write_golden(reference, exact):
    rows = exact[STEP - 1::STEP]
    np.save(GOLDEN / "fingerprints.npy", fingerprints(rows).astype(np.float32))
    chats = json.loads((GOLDEN / "chats.json").read_text(encoding="utf-8"))
    same = [greedy(reference, chat["prompt_ids"], 64) == chat["greedy_ids"] for chat in chats]
    print("chats that go on as written:", same)
    return all(same)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvasir", default="build/release/kvasir")
    parser.add_argument("--model", type=pathlib.Path, default=MODEL, help="a llama GGUF file")
    parser.add_argument("--tokens", type=pathlib.Path, default=GOLDEN / "tokens.txt", help="ids, white space between")
    parser.add_argument("--kv", nargs="+", default=["f32", "f16", "bf16"])
    parser.add_argument("--isa", default="auto")
    parser.add_argument("--compute", default="int", help="int, int8 or f32")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--worst", type=float, default=5e-5)
    parser.add_argument("--write-golden", action="store_true")
    arguments = parser.parse_args()
    tokens = np.array(arguments.tokens.read_text(encoding="utf-8").split(), dtype=np.int64)
    reference = LlamaReference(arguments.model)
    exact = reference.append(tokens)
    is_good = write_golden(reference, exact) if arguments.write_golden else compare(arguments, exact, tokens)
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
