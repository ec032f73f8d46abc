#!/usr/bin/env python3
"""Runs `kvasir bench decode` in a group of processes that may hold little memory, so that weights do not all fit.

  tools/limited_bench.py --model DIR --memory 4G 8G [--kvasir build/release/kvasir OTHER...] [--rounds 3]
      [--group DIR] [-- OPTIONS OF BENCH DECODE]

The group is a child of the one that this script runs in (cgroup, version 1 or 2), or of --group; both ask for the
right to make one. The pages of the model's files are dropped before each run, so that they are charged to it.
Several programs run in turns. The table says, for each limit, what share of the weights was in memory at the end,
tokens/s (median of the rounds) and what was read from the device for a token, loading left out.
"""

import argparse
import contextlib
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys

UNITS = {"M": 1 << 20, "G": 1 << 30}
# A repetition, and once more for the parts of a token's time.
RUNS = 2


def parse_size(text):
    return int(float(text[:-1]) * UNITS[text[-1]])


def own_group():
    """The folder of this process's group that limits memory, and whether it is of version 2."""
    for line in pathlib.Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return pathlib.Path("/sys/fs/cgroup/memory" + path)
    return pathlib.Path("/sys/fs/cgroup" + path)


@contextlib.contextmanager
def limited_group(parent, limit_bytes):
    """A child of `parent` for as long as the block runs."""
    group = parent / f"kvasir-bench-{os.getpid()}"
    group.mkdir()
    try:
        limit = next((group / name for name in ("memory.max", "memory.limit_in_bytes")
                      if (group / name).exists()), None)
        if limit is None:
            sys.exit(f"{parent} does not hand out memory: name another group with --group")
        limit.write_text(str(limit_bytes), encoding="utf-8")
        yield group
    finally:
        group.rmdir()


def file_bytes(group):
    """Pages of files that the group holds."""
    stat = dict(line.split() for line in (group / "memory.stat").read_text(encoding="utf-8").splitlines())
    return int(stat.get("total_cache", stat.get("file", 0)))


def drop_pages(files):
    for path in files:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run_in(group, command):
    """What the command prints, and the bytes it read from the device."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_inblock
    join = lambda: (group / "cgroup.procs").write_text(str(os.getpid()), encoding="utf-8")
    done = subprocess.run(command, preexec_fn=join, stdout=subprocess.PIPE, check=True)
    return done.stdout, (resource.getrusage(resource.RUSAGE_CHILDREN).ru_inblock - before) * 512


def measure(arguments, files, kvasir, limit_bytes, token_count):
    command = [kvasir, "bench", "decode", "--model", str(arguments.model), "--no-kernels", "--json",
               "--repetitions", "1", "--tokens", str(token_count), *arguments.options]
    drop_pages(files)
    with limited_group(arguments.group, limit_bytes) as group:
        text, read_bytes = run_in(group, command)
        return json.loads(text)["depths"][0]["tokens_per_second"], read_bytes, file_bytes(group)


def measure_limit(arguments, files, limit_bytes):
    """For each program: tokens/s, bytes read for a token, and the share of weights that stayed."""
    total = sum(path.stat().st_size for path in files)
    loading = {kvasir: measure(arguments, files, kvasir, limit_bytes, 1)[1] for kvasir in arguments.kvasir}
    runs = {kvasir: [] for kvasir in arguments.kvasir}
    for _ in range(arguments.rounds):
        for kvasir in arguments.kvasir:
            speed, read, resident = measure(arguments, files, kvasir, limit_bytes, arguments.tokens)
            read_a_token = (read - loading[kvasir]) / (RUNS * (arguments.tokens - 1))
            runs[kvasir].append((speed, read_a_token, resident / total))
    return {kvasir: [statistics.median(column) for column in zip(*rows)] for kvasir, rows in runs.items()}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--memory", required=True, nargs="+")
    parser.add_argument("--kvasir", nargs="+", default=["build/release/kvasir"])
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--group", type=pathlib.Path, default=own_group())
    parser.add_argument("options", nargs="*", help="options of bench decode, behind --")
    arguments = parser.parse_args()
    files = sorted(arguments.model.glob("*.safetensors"))
    print("| memory | weights in memory | " + " | ".join(f"{k}: tokens/s, MB read a token" for k in arguments.kvasir)
          + " |\n|---|---|" + "---|" * len(arguments.kvasir))
    for memory in arguments.memory:
        rows = measure_limit(arguments, files, parse_size(memory))
        share = statistics.mean(row[2] for row in rows.values())
        cells = [f"{speed:.2f}, {read / 1e6:.0f}" for speed, read, _ in rows.values()]
        print(f"| {memory} | {100 * share:.0f} % | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
