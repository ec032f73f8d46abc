#!/usr/bin/env python3
"""Speed of Kvasir and of llama.cpp on the same GGUF files, in turns of one run.

  npm i -E node-llama-cpp@3.22.1 --ignore-scripts      (brings llama.cpp's libraries, one for each kind of processor)
  tools/bench_llama_cpp.py --kvasir build/release/kvasir \\
      --libraries node_modules/@node-llama-cpp/linux-x64/bins/linux-x64 --model FILE.gguf...
      [--threads 2] [--kv f16 q8_0] [--prefill 512 2048 6000] [--depth 0 2048 6000] [--decode 64] [--turns 3]
      [--flash auto|on|off] [--options ...] [--json]

Prefill reads random tokens with the logits of the last one alone; decoding takes single tokens behind so many held
ones. Both keep their caches in the same precision (--kv int8=q8_0: Kvasir's int8 beside llama.cpp's q8_0) and use as
many threads. In every turn each engine does every task once, one engine right after the other, so that a machine whose
speed drifts does not favour one of them. The table shows medians and ranges of the turns, and the median of the turns'
ratios Kvasir / llama.cpp. Loading is not counted. llama.cpp's threads wait for each other at every operation, so beside
other work its figures collapse: a note under the table says what share of the processors others had, and ratios of a
busy machine are good for nothing. --options: more words for `kvasir bench`.
tools/random_gguf.py makes files of a size to measure with, and build/release/tests/deepseek4_gguf_writer
models/kvasir-tiny FILE.gguf makes one of the bundled model.
"""

import argparse
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import time

from llama_cpp_library import CACHE_TYPES, FLASH_ATTENTION, Context, Library, Model


BUSY_SHARE = 0.05


class LlamaCpp:
    """One model with a context for each precision, long enough for every task."""

    name = "llama.cpp"

    def __init__(self, arguments, library, path):
        self.arguments = arguments
        self.model = Model(library, path)
        self.tokens_max = max([*arguments.prefill, *[depth + arguments.decode + 1 for depth in arguments.depth]]) + 64
        self.tokens = random.Random(1).choices(range(self.model.vocab_size), k=self.tokens_max)

    def rates(self, kv):
        context = Context(self.model, self.tokens_max, self.arguments.threads, kv, self.arguments.flash)
        context.append(self.tokens[:64])
        found = {}
        for count in self.arguments.prefill:
            context.cut(0)
            found["prefill", count] = count / self.seconds(lambda: context.append(self.tokens[:count]))
        context.cut(0)
        for depth in sorted(self.arguments.depth):
            if depth > context.length:
                context.append(self.tokens[context.length:depth])
            context.append(self.tokens[depth:depth + 1])  # the first step of a depth plans its graph
            found["decode", depth] = self.arguments.decode / self.seconds(lambda: self.decode(context, depth + 1))
            if not context.cut(depth):
                context.cut(0)
        context.close()
        return found

    def decode(self, context, begin):
        for token in self.tokens[begin:begin + self.arguments.decode]:
            context.append([token])

    @staticmethod
    def seconds(work):
        start = time.perf_counter()
        work()
        return time.perf_counter() - start


class Kvasir:
    name = "kvasir"

    def __init__(self, arguments, path):
        self.arguments = arguments
        self.options = ["--model", path, "--threads", arguments.threads, "--no-kernels", "--repetitions", 1, "--json",
                        *arguments.options]

    def bench(self, *words):
        command = [str(word) for word in (self.arguments.kvasir, "bench", *words, *self.options)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["depths"]

    def rates(self, kv):
        found = {}
        for count in self.arguments.prefill:
            found["prefill", count] = self.bench("prefill", "--kv", kv, "--tokens", count)[0]["tokens_per_second"]
        if self.arguments.depth:
            decoded = self.bench("decode", "--kv", kv, "--tokens", self.arguments.decode, "--depth",
                                 *self.arguments.depth)
            for one in decoded:
                found["decode", one["depth_tokens"]] = one["tokens_per_second"]
        return found


class OthersShare:
    """What share of the processors other processes had meanwhile."""

    def __enter__(self):
        self.begin = self.now()
        return self

    def __exit__(self, *_):
        wall, busy, own = (end - begin for begin, end in zip(self.begin, self.now()))
        self.value = max(0.0, busy - own) / (wall * os.cpu_count())

    @staticmethod
    def now():
        first_line = pathlib.Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0]
        user, nice, system, _, _, irq, soft_irq, stolen = map(int, first_line.split()[1:9])
        own = sum(os.times()[:4])
        busy = (user + nice + system + irq + soft_irq + stolen) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter(), busy, own


def measure(arguments, library, path):
    """{(kv, task): {engine: [rates]}}"""
    engines = [(Kvasir(arguments, path), 0), (LlamaCpp(arguments, library, path), -1)]
    rates = {}
    for _ in range(arguments.turns):
        for pair in arguments.kv:
            for engine, index in engines:
                for task, rate in engine.rates(pair.split("=")[index]).items():
                    rates.setdefault((pair, task), {}).setdefault(engine.name, []).append(rate)
    return rates


def cell(values):
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})"


def show(path, rates):
    print(f"\n| {path.name}, tokens/s | rows | Kvasir | llama.cpp | ratio |\n|---|---|---:|---:|---:|")
    for (kv, (kind, count)), by_engine in rates.items():
        task = f"reading {count:,}" if kind == "prefill" else f"decoding behind {count:,}"
        ratio = statistics.median(ours / theirs for ours, theirs in zip(*by_engine.values()))
        print(f"| {task} | {kv} | {cell(by_engine['kvasir'])} | {cell(by_engine['llama.cpp'])} | {ratio:.2f} |",
              flush=True)


def processor():
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"model name\s*: (.*)", text)
    return found.group(1) if found else "unknown processor"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvasir", required=True)
    parser.add_argument("--libraries", required=True, type=pathlib.Path)
    parser.add_argument("--model", required=True, type=pathlib.Path, nargs="+")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kv", nargs="+", default=["f16", "q8_0"])
    parser.add_argument("--prefill", type=int, nargs="*", default=[512, 2048, 6000])
    parser.add_argument("--depth", type=int, nargs="*", default=[0, 2048, 6000])
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--flash", choices=FLASH_ATTENTION, default="auto")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    for pair in arguments.kv:
        if pair.split("=")[-1] not in CACHE_TYPES:
            parser.error(f"llama.cpp has no {pair} rows here: {', '.join(CACHE_TYPES)}")
    library = Library(arguments.libraries)
    if not arguments.json:
        print(f"{processor()}, {arguments.threads} threads, load average {os.getloadavg()[0]:.1f}, llama.cpp for "
              f"{library.backend()}, flash attention {arguments.flash}; medians and ranges of {arguments.turns} turns")
    for path in arguments.model:
        with OthersShare() as others:
            rates = measure(arguments, library, path)
        if arguments.json:
            tasks = [{"kv": kv, "task": kind, "tokens": count, **by_engine}
                     for (kv, (kind, count)), by_engine in rates.items()]
            print(json.dumps({"model": path.name, "threads": arguments.threads, "others_share": others.value,
                              "tasks": tasks}))
        else:
            show(path, rates)
            print(f"\nOthers had {100 * others.value:.0f} % of the processors meanwhile"
                  f"{': do not quote these ratios.' if others.value > BUSY_SHARE else '.'}")


if __name__ == "__main__":
    main()
