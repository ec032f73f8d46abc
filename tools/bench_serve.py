#!/usr/bin/env python3
"""What clients of `kvasir serve` and of llama.cpp's server wait for, on one GGUF file, side by side in one run.

  pip install 'llama-cpp-python[server]==0.3.36'        (builds llama.cpp for this processor)
  tools/bench_serve.py --kvasir build/release/kvasir --model FILE.gguf [--threads 2] [--context 8192]
      [--scenario shared edit restart] [-- MORE OPTIONS OF kvasir bench serve]

Both servers hold their caches in float16, compute with as many threads, and get the same requests in turn from
`kvasir bench serve`. llama.cpp's server answers one request after the other; it is told not to break off the one
under way. With --llama-cache it keeps what it has computed of earlier prompts in RAM.
"""

import argparse
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

START_PATIENCE_S = 120
F16 = "1"  # ggml's id of the type


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """A server as a process, remembered in a file so that another process can start it again."""

    def __init__(self, record):
        self.record = pathlib.Path(record)

    def start(self, command, port):
        log = open(self.record.with_suffix(".log"), "ab")
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self.record.write_text(json.dumps({"command": command, "port": port, "pid": process.pid}))
        self.wait_until_it_answers(port)

    def wait_until_it_answers(self, port):
        end = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.02)
        sys.exit(f"no answer; {self.record.with_suffix('.log')} says why")

    def stop(self):
        pid = json.loads(self.record.read_text())["pid"]
        try:
            os.kill(pid, signal.SIGTERM)
            while is_alive(pid):
                time.sleep(0.01)
        except ProcessLookupError:
            pass

    def start_again(self):
        known = json.loads(self.record.read_text())
        self.stop()
        self.start(known["command"], known["port"])


def is_alive(pid):
    """Also for a child, which stays a zombie until its parent looks."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def kvasir_command(arguments, port, store):
    return [arguments.kvasir, "serve", "--model", str(arguments.model), "--kv", "f16", "--threads",
            str(arguments.threads), "--context", str(arguments.context), "--port", str(port), "--store", store,
            "--quiet"]


def llama_command(arguments, port):
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(arguments.model), "--n_ctx",
               str(arguments.context), "--n_threads", str(arguments.threads), "--n_threads_batch",
               str(arguments.threads), "--type_k", F16, "--type_v", F16, "--host", "127.0.0.1", "--port", str(port),
               "--interrupt_requests", "false", "--verbose", "false"]
    return command + (["--cache", "true"] if arguments.llama_cache else [])


def bench_command(arguments, ports, records):
    command = [arguments.kvasir, "bench", "serve"]
    for record, port, url, restart in zip(records, ports, ["--url", "--peer"], ["--restart", "--peer-restart"]):
        again = shlex.join([sys.executable, __file__, "--start-again", str(record)])
        command += [url, f"http://127.0.0.1:{port}", restart, again]
    for scenario in arguments.scenario:
        command += ["--scenario", scenario]
    return command + arguments.more


def measure(arguments, folder):
    records = [pathlib.Path(folder) / name for name in ["kvasir.json", "llama.json"]]
    ports = [free_port(), free_port()]
    try:
        Server(records[0]).start(kvasir_command(arguments, ports[0], str(pathlib.Path(folder) / "store")), ports[0])
        Server(records[1]).start(llama_command(arguments, ports[1]), ports[1])
        return subprocess.run(bench_command(arguments, ports, records)).returncode
    finally:
        for record in records:
            if record.exists():
                Server(record).stop()


def main():
    if sys.argv[1:2] == ["--start-again"]:
        Server(sys.argv[2]).start_again()
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvasir", required=True)
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--context", type=int, default=8192)
    parser.add_argument("--scenario", nargs="+", default=["shared", "edit", "restart"])
    parser.add_argument("--llama-cache", action="store_true")
    parser.add_argument("more", nargs="*", help="options of kvasir bench serve, after --")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return measure(arguments, folder)


if __name__ == "__main__":
    sys.exit(main())
