#!/usr/bin/env python3
"""Speed of Kvasir and of llama.cpp on one GGUF file, side by side in one run.

  pip install llama-cpp-python==0.3.36        (builds llama.cpp for this processor)
  tools/bench_llama_cpp.py --kvasir build/release/kvasir --model FILE.gguf [--threads 2] [--kv f16]
      [--prefill 512 2048] [--context 0 2048 6000] [--decode 64] [--repeats 3] [--json]

Prefill reads random tokens with the logits of the last one only; decoding takes single tokens behind so many
held ones. Both keep their caches in the same precision and use as many threads. The engines take turns, so
that a machine whose speed drifts does not favour one of them; the table shows medians, ranges, and the ratio
Kvasir / llama.cpp of the medians. Loading is not counted. Where LLAMA_CPP_LIB_PATH names a folder with
prebuilt libraries, these are measured instead (the Python package has to be of the same version).
"""

import argparse
import ctypes
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

import llama_cpp

CACHE_TYPES = {"f32": 0, "f16": 1, "bf16": 30}  # ids of ggml
BATCH_TOKENS = 512


def load_prebuilt_backends():
    """Prebuilt libraries bring one backend a processor generation; ggml takes the best of the folder."""
    folder = os.environ.get("LLAMA_CPP_LIB_PATH")
    if folder is None:
        return
    ggml = ctypes.CDLL(str(pathlib.Path(folder) / "libggml.so"), mode=ctypes.RTLD_GLOBAL)
    ggml.ggml_backend_load_all_from_path(folder.encode())


class LlamaCpp:
    """A model with one context, which is long enough for every task."""

    def __init__(self, path, threads, kv, tokens_max):
        load_prebuilt_backends()
        self.log = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.log, None)
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            sys.exit(f"llama.cpp cannot load {path}")
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = tokens_max, BATCH_TOKENS, BATCH_TOKENS
        params.n_threads = params.n_threads_batch = threads
        params.type_k = params.type_v = CACHE_TYPES[kv]
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        if not self.context:
            sys.exit("llama.cpp has not made a context")
        vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.vocab_size = llama_cpp.llama_vocab_n_tokens(vocab)

    def append(self, tokens):
        for begin in range(0, len(tokens), BATCH_TOKENS):
            piece = tokens[begin:begin + BATCH_TOKENS]
            array = (llama_cpp.llama_token * len(piece))(*piece)
            if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(array, len(piece))):
                sys.exit("llama.cpp has failed to run")
        llama_cpp.llama_synchronize(self.context)

    def rate(self, task):
        """Tokens a second."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        tokens = random.Random(task.tokens).choices(range(self.vocab_size), k=task.context + task.tokens)
        self.append(tokens[:task.context])
        start = time.perf_counter()
        if task.kind == "prefill":
            self.append(tokens[task.context:])
        else:
            for token in tokens[task.context:]:
                self.append([token])
        return task.tokens / (time.perf_counter() - start)


class Kvasir:
    def __init__(self, binary, path, threads, kv):
        self.command = [binary, "bench"]
        self.options = ["--model", str(path), "--threads", str(threads), "--kv", kv, "--no-kernels",
                        "--repetitions", "1", "--json"]

    def rate(self, task):
        run = subprocess.run(self.command + [task.kind] + self.options +
                             ["--tokens", str(task.tokens), "--context", str(task.context)],
                             check=True, capture_output=True, text=True)
        return json.loads(run.stdout)["tokens_per_second"]


class Task:
    def __init__(self, kind, tokens, context):
        self.kind, self.tokens, self.context = kind, tokens, context

    def __str__(self):
        return f"prefill {self.tokens}" if self.kind == "prefill" else f"decode behind {self.context}"


def measure(engines, tasks, repeats):
    """{task: {engine: [rates]}}; every engine has a first turn that does not count."""
    rates = {task: {name: [] for name in engines} for task in tasks}
    for engine in engines.values():
        engine.rate(Task("prefill", 64, 0))
    for _ in range(repeats):
        for task in tasks:
            for name, engine in engines.items():
                rates[task][name].append(engine.rate(task))
    return rates


def show(rates):
    print(f"{'tokens/s':24}{'Kvasir':>22}{'llama.cpp':>22}{'ratio':>8}")
    for task, by_engine in rates.items():
        medians = {name: statistics.median(values) for name, values in by_engine.items()}
        cells = [f"{medians[name]:.0f} ({min(values):.0f}-{max(values):.0f})" for name, values in by_engine.items()]
        print(f"{str(task):24}{cells[0]:>22}{cells[1]:>22}{medians['kvasir'] / medians['llama.cpp']:>8.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvasir", required=True)
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--kv", choices=CACHE_TYPES, default="f16")
    parser.add_argument("--prefill", type=int, nargs="*", default=[512, 2048])
    parser.add_argument("--context", type=int, nargs="*", default=[0, 2048, 6000])
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    tasks = [Task("prefill", tokens, 0) for tokens in arguments.prefill]
    tasks += [Task("decode", arguments.decode, context) for context in arguments.context]
    longest = max(task.tokens + task.context for task in tasks) + BATCH_TOKENS
    engines = {
        "kvasir": Kvasir(arguments.kvasir, arguments.model, arguments.threads, arguments.kv),
        "llama.cpp": LlamaCpp(arguments.model, arguments.threads, arguments.kv, longest),
    }
    rates = measure(engines, tasks, arguments.repeats)
    if arguments.json:
        print(json.dumps({str(task): by_engine for task, by_engine in rates.items()}))
    else:
        show(rates)


if __name__ == "__main__":
    main()
