#!/usr/bin/env python3
"""Speed of Kvasir and of Hugging Face transformers on one checkpoint, side by side in one run.

  tools/bench_transformers.py --kvasir build/release/kvasir [--model DIR] [--threads N] [--kv native]
      [--prefill 512 2048] [--context 512] [--decode 64] [--repeats 5]

Without --model, a random model of about 100M parameters is made (BF16). An FP8/FP4 checkpoint is expanded
to BF16, value for value, so that both engines run the same weights; Kvasir runs the original storage as well.

transformers first shows which of its variants is fastest here (float32 or bfloat16, each implementation of
the experts), once for each task; the best one is then measured. The engines take turns, so that a machine
whose speed drifts does not favour one of them. A turn counts the better of two runs, for either engine (the
first run of a Kvasir process still maps the weights); the table shows the medians and ranges of the turns.
Prefill computes the logits of the last token only; decoding is greedy, batch 1, with each engine's own cache.
Loading is not counted. Both use the same number of threads. On a busy machine the threads of PyTorch wait
for each other at every operation and its figures collapse: a warning says when they are good for nothing.
"""

import argparse
import dataclasses
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
import transformers
from transformers import DeepseekV4ForCausalLM

import expand_checkpoint
import tiny_models

DTYPES = ("float32", "bfloat16")
# batched_mm copies an expert's matrices for every token: hopeless for a prompt, worth a try for one token.
EXPERT_IMPLEMENTATIONS = {"prefill": ("eager", "grouped_mm"), "decode": ("eager", "grouped_mm", "batched_mm")}
RUNS_PER_TURN = 2
CHECKED_TOKENS = 200
CHECKED_REL_MAX = 1e-4


@dataclasses.dataclass(frozen=True)
class Task:
    """`tokens` tokens of prefill, or of decoding after `context` tokens."""

    kind: str
    tokens: int
    context: int = 0

    def __str__(self):
        after = f" after {self.context}" if self.context else ""
        return f"{self.kind} {self.tokens}{after}"


class TransformersEngine:
    """One loaded model per dtype; the experts' implementation is chosen per call."""

    def __init__(self, folder):
        self.models = {
            dtype: DeepseekV4ForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
            for dtype in DTYPES
        }
        self.vocab_size = self.models["float32"].config.vocab_size

    @torch.inference_mode()
    def seconds(self, variant, task):
        """Seconds of the timed part of `task`."""
        dtype, experts = variant
        model = self.models[dtype]
        model.set_experts_implementation(experts)
        prompt_length = task.tokens if task.kind == "prefill" else task.context
        generator = torch.Generator().manual_seed(prompt_length)
        prompt = torch.randint(0, self.vocab_size, (1, prompt_length), generator=generator)
        start = time.perf_counter()
        result = model(prompt, use_cache=True, logits_to_keep=1)
        token = result.logits[:, -1:].argmax(-1)
        if task.kind == "prefill":
            return time.perf_counter() - start
        start = time.perf_counter()
        for _ in range(task.tokens):
            result = model(token, past_key_values=result.past_key_values, use_cache=True)
            token = result.logits[:, -1:].argmax(-1)
        return time.perf_counter() - start

    def rate(self, variant, task):
        """Tokens per second of the better of a turn's runs."""
        return task.tokens / min(self.seconds(variant, task) for _ in range(RUNS_PER_TURN))

    def best_variant(self, task):
        """The fastest variant on a short form of `task`."""
        tokens_max = 512 if task.kind == "prefill" else 16
        short = Task(task.kind, min(task.tokens, tokens_max), min(task.context, 128))
        rates = {}
        for variant in itertools.product(DTYPES, EXPERT_IMPLEMENTATIONS[task.kind]):
            try:
                rates[variant] = self.rate(variant, short)
            except (RuntimeError, NotImplementedError, ValueError) as error:
                print(f"    transformers {' '.join(variant)}: {str(error).splitlines()[0]}")
        for variant, rate in rates.items():
            print(f"    transformers {' '.join(variant):<22} {short}: {rate:8.1f} tokens/s")
        return max(rates, key=rates.get)


class KvasirEngine:
    """The command line; every figure comes from a process of its own."""

    def __init__(self, arguments, model):
        self.binary, self.model = arguments.kvasir, model
        self.options = ["--threads", str(arguments.threads), "--kv", arguments.kv, "--isa", arguments.isa]
        self.has_bench = "prefill" in self._run(["bench", "--help"], check=False).stdout

    def _run(self, words, check=True):
        command = [str(word) for word in (self.binary, *words)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if check and run.returncode != 0:
            sys.exit(f"{' '.join(command)}: {run.stderr.strip()}")
        return run

    def rate(self, task):
        return self._bench_rate(task) if self.has_bench else self._logits_rate(task)

    def _bench_rate(self, task):
        words = ["bench", task.kind, "--model", self.model, "--tokens", task.tokens, "--json",
                 "--repetitions", RUNS_PER_TURN, "--no-kernels"]
        if task.kind == "decode":
            words += ["--depth", task.context]
        words += self.options
        return float(json.loads(self._run(words).stdout)["depths"][0]["tokens_per_second"])

    def _logits_rate(self, task):
        """For binaries without `bench`, roughly: the extra time that `logits` takes for the extra tokens."""
        few = max(task.context, 1)
        chunk = ["--chunk", 1] if task.kind == "decode" else []
        seconds = self._logits_seconds(few + task.tokens, chunk) - self._logits_seconds(few, chunk)
        return task.tokens / seconds

    def _logits_seconds(self, token_count, more):
        with tempfile.TemporaryDirectory() as name:
            start = time.perf_counter()
            self.logits(torch.arange(token_count) % 64, pathlib.Path(name), [*self.options, *more])
            return time.perf_counter() - start

    def logits(self, tokens, folder, options):
        token_path, out_path = folder / "tokens.txt", folder / "logits.npy"
        token_path.write_text(" ".join(map(str, tokens.tolist())), encoding="utf-8")
        self._run(["logits", "--model", self.model, "--tokens", token_path, "--out", out_path, *options])
        return np.load(out_path)


def check_same_model(theirs, ours):
    """Speed means nothing if the two do not compute the same thing."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, theirs.vocab_size, (CHECKED_TOKENS,), generator=generator)
    with torch.inference_mode():
        expected = theirs.models["float32"](tokens[None], use_cache=False).logits[0].numpy()
    with tempfile.TemporaryDirectory() as name:
        found = ours.logits(tokens, pathlib.Path(name), ["--kv", "f32", *ours.options[:2]])
    rel = np.sqrt(((found - expected) ** 2).mean(-1)) / expected.std()
    print(f"  same logits: median rel {np.median(rel):.1e}, worst {rel.max():.1e}, {CHECKED_TOKENS} tokens")
    if np.median(rel) > CHECKED_REL_MAX:
        sys.exit("the engines disagree: no comparison")


def warn_if_busy(threads):
    idle = os.cpu_count() - os.getloadavg()[0]
    if idle < threads - 0.5:
        print(f"WARNING: load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors: "
              "do not quote these figures")


def print_row(name, rates, base):
    median = statistics.median(rates)
    ratio = f"{median / base:7.2f}x" if base else ""
    print(f"  {name:<44} {median:9.1f} tokens/s  ({min(rates):.1f} .. {max(rates):.1f}) {ratio}")
    return median


def compare(arguments, task, theirs, kvasirs):
    """Alternates the engines on one task and prints its rows; ratios are to transformers."""
    print(f" {task}")
    variant = theirs.best_variant(task)
    rates = {"transformers " + " ".join(variant): []}
    rates.update({name: [] for name in kvasirs})
    theirs.seconds(variant, task)
    for _ in range(arguments.repeats):
        rates["transformers " + " ".join(variant)].append(theirs.rate(variant, task))
        for name, engine in kvasirs.items():
            rates[name].append(engine.rate(task))
    base = None
    for name, values in rates.items():
        median = print_row(name, values, base)
        base = base or median


def prepare(arguments, folder):
    """(description, checkpoint for both engines, original storage or None)."""
    shared = folder / "shared"
    if arguments.model is None:
        model = tiny_models.make_model(tiny_models.MID_SIZE, seed=1)
        tiny_models.save_bfloat16(model, shared)
        return f"random model, {model.num_parameters() / 1e6:.0f}M parameters, BF16", shared, None
    expand_checkpoint.expand_checkpoint(arguments.model, shared, torch.bfloat16)
    is_expanded = expand_checkpoint.has_scales(arguments.model)
    what = "expanded to BF16" if is_expanded else "as it is"
    return f"{arguments.model.name}, {what}", shared, arguments.model if is_expanded else None


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvasir", required=True)
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--kv", choices=("native", "bf16", "f32"), default="native")
    parser.add_argument("--isa", default="auto")
    parser.add_argument("--prefill", type=int, nargs="*", default=[512, 2048])
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--decode", type=int, default=64, help="tokens to decode; 0: no decoding")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as name:
        what, shared, original = prepare(arguments, pathlib.Path(name))
        theirs = TransformersEngine(shared)
        kvasirs = {f"kvasir --kv {arguments.kv}": KvasirEngine(arguments, shared)}
        if original:
            kvasirs[f"kvasir --kv {arguments.kv}, original storage"] = KvasirEngine(arguments, original)
        first = next(iter(kvasirs.values()))
        source = "kvasir bench" if first.has_bench else "differences of kvasir logits (no bench command)"
        print(f"{what}; {arguments.threads} threads, load average {os.getloadavg()[0]:.1f}")
        print(f"torch {torch.__version__}, transformers {transformers.__version__}; "
              f"kvasir's figures: {source}")
        warn_if_busy(arguments.threads)
        check_same_model(theirs, first)
        tasks = [Task("prefill", tokens) for tokens in arguments.prefill]
        if arguments.decode:
            tasks.append(Task("decode", arguments.decode, arguments.context))
        for task in tasks:
            compare(arguments, task, theirs, kvasirs)
        print(f"load average at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
