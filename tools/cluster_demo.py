#!/usr/bin/env python3
"""Two servers, one cache: a conversation begins at one server, and its next turn comes to the other.

    tools/cluster_demo.py [--model M] [--tokens N] [--rounds N] [--kvasir PROGRAM]

Starts redis-server, two `kvasir serve` with a store each and HAProxy (tools/cluster/haproxy.cfg) on
free ports of this machine, asks, prints seconds to the first token and where the prompt's tokens
came from, and ends all of it again. ./kvasir.sh build makes the program.
"""
import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ["ram", "disk", "remote", "computed"]


def redis_program():
    """redis-tools has the server too, under another name and without a service."""
    return shutil.which("redis-server") or shutil.which("redis-check-rdb")


def haproxy_program():
    return shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")


def check_programs(kvasir):
    if not os.access(kvasir, os.X_OK):
        sys.exit(f"{kvasir} is not there; ./kvasir.sh build makes it")
    packages = []
    if not redis_program():
        packages.append("redis-tools")
    if not haproxy_program():
        packages.append("haproxy")
    if packages:
        sys.exit("missing: apt-get install --no-install-recommends " + " ".join(packages))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Group:
    """The processes, in the order in which they were started."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="kvasir-cluster-"))
        self.processes = []

    def start(self, words, **options):
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, **options)
        self.processes.append(process)
        return process

    def start_redis(self, memory):
        port = free_port()
        self.start(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                    "--appendonly", "no", "--maxmemory", memory, "--maxmemory-policy", "allkeys-lru",
                    "--dir", str(self.folder)],
                   executable=redis_program(), stdout=subprocess.DEVNULL)
        return f"redis://127.0.0.1:{port}"

    def start_haproxy(self, servers):
        port = free_port()
        places = {"KVASIR_FRONT": f"127.0.0.1:{port}", "KVASIR_A": f"127.0.0.1:{servers[0].port}",
                  "KVASIR_B": f"127.0.0.1:{servers[1].port}"}
        self.start([haproxy_program(), "-db", "-f", str(ROOT / "tools/cluster/haproxy.cfg")],
                   env=os.environ | places, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return Place("the proxy", port)

    def end(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Place:
    """Somewhere that answers."""

    def __init__(self, name, port):
        self.name, self.port = name, port

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()

    def wait_until_ready(self, process):
        for _ in range(600):
            try:
                if self.get("/ready")[0] == 200:
                    return
            except OSError:
                pass
            if process.poll() is not None:
                break
            time.sleep(0.1)
        sys.exit(f"{self.name} does not answer")

    def tokens(self):
        """Of prompts so far, by where they came from."""
        text = self.get("/metrics")[1]
        found = re.findall(r'kvasir_prompt_tokens_by_source_total\{.*source="(\w+)"\} (\d+)', text)
        return {source: int(count) for source, count in found}

    def ask(self, messages, session=None):
        """Returns the answer, seconds to its first token and the name of its conversation."""
        body = json.dumps({"messages": messages, "stream": True, "temperature": 0, "max_tokens": 24,
                           "reasoning_effort": "none"})
        headers = {"Content-Type": "application/json", "X-Kvasir-Handover": "1"}
        if session:
            headers["X-Kvasir-Session"] = session
        begin = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request("POST", "/v1/chat/completions", body, headers)
        response = connection.getresponse()
        if response.status != 200:
            sys.exit(f"{self.name} answers {response.status}: {response.read().decode()}")
        text, first = "", None
        for line in response:
            if not line.startswith(b"data: {"):
                continue
            choices = json.loads(line[6:]).get("choices")
            piece = choices[0]["delta"].get("content") if choices else None
            if piece:
                first = first or time.monotonic() - begin
                text += piece
        return text, first or time.monotonic() - begin, response.getheader("x-kvasir-session")


class Server(Place):
    def __init__(self, group, name, kvasir, model, url):
        words = [kvasir, "serve", "--port", "0", "--quiet", "--store", str(group.folder / name),
                 "--remote", url]
        self.process = group.start(words + (["--model", model] if model else []),
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            address = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if address:
                super().__init__(f"server {name}", int(address[1]))
                return
        sys.exit(f"server {name} did not start")


def first_turn(number, tokens):
    """A question about a part of the book; each conversation has one of its own."""
    book = (ROOT / "data/book.txt").read_text()
    begin = number * 9973 % len(book)
    part = (book * (2 + tokens * 4 // len(book)))[begin:][:tokens * 4]
    return [{"role": "user", "content": f"Reader {number}.\n{part}\nWho is spoken of?"}]


def next_turn(messages, answer):
    return messages + [{"role": "assistant", "content": answer},
                       {"role": "user", "content": "And what happens then?"}]


def measure(place, servers, messages, session=None):
    """One request, with the tokens of its prompt by source and the server that answered."""
    before = [server.tokens() for server in servers]
    answer, seconds, session = place.ask(messages, session)
    for server, counts in zip(servers, before):
        if server.process.poll() is not None:
            continue
        gone = {source: server.tokens()[source] - counts[source] for source in SOURCES}
        if sum(gone.values()):
            return answer, seconds, session, server, gone
    sys.exit("no server has answered")


def show(what, seconds, tokens):
    counts = "".join(f"{tokens[source]:>10,}" for source in SOURCES)
    print(f"{what:<42}{seconds:>8.3f} s {counts}", flush=True)


def show_head():
    print(f"{'':<42}{'1st token':>10} {''.join(f'{source:>10}' for source in SOURCES)}")


def two_servers(servers, tokens, rounds):
    """The same turn at the server that has the conversation, and at the one that has not."""
    a, b = servers
    times = {"cold": [], "remote": [], "local": []}
    for number in range(rounds):
        messages = first_turn(number, tokens)
        answer, seconds, session, _, counts = measure(a, servers, messages)
        show(f"{number + 1}: first turn at A, cold", seconds, counts)
        times["cold"].append(seconds)
        later = next_turn(messages, answer)
        answers = set()
        for place, kind in ((b, "remote"), (a, "local")):
            answer, seconds, _, _, counts = measure(place, servers, later, session)
            show(f"   next turn at {'AB'[place is b]}, {kind}", seconds, counts)
            times[kind].append(seconds)
            answers.add(answer)
        if len(answers) > 1:
            sys.exit("the two servers answer differently")
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    print("medians: " + ", ".join(f"{kind} {value:.3f} s" for kind, value in medians.items()) +
          f"; remote is {medians['cold'] / medians['remote']:.1f} times as fast as cold\n")


def through_the_proxy(proxy, servers, tokens):
    """A conversation through HAProxy whose server goes down."""
    messages, session = first_turn(1000, tokens), None
    for turn in range(3):
        answer, seconds, session, server, counts = measure(proxy, servers, messages, session)
        show(f"turn {turn + 1} through the proxy, at {server.name}", seconds, counts)
        messages = next_turn(messages, answer)
    server.process.send_signal(signal.SIGTERM)
    server.process.wait()
    left = [one for one in servers if one is not server]
    _, seconds, _, other, counts = measure(proxy, left, messages, session)
    show(f"{server.name} is down; turn 4, at {other.name}", seconds, counts)
    print(f"the conversation's name: {session}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kvasir", default=str(ROOT / "build/release/kvasir"))
    parser.add_argument("--model", help="as for kvasir serve; the bundled one if left out")
    parser.add_argument("--tokens", type=int, default=8000, help="of a first turn, roughly")
    parser.add_argument("--rounds", type=int, default=3, help="conversations that are measured")
    parser.add_argument("--redis-memory", default="512mb", help="what Redis may take")
    options = parser.parse_args()
    check_programs(options.kvasir)
    group = Group()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        url = group.start_redis(options.redis_memory)
        servers = [Server(group, name, options.kvasir, options.model, url) for name in "AB"]
        proxy = group.start_haproxy(servers)
        proxy.wait_until_ready(group.processes[-1])
        # Weights are read from disk by whoever comes first.
        for server in servers:
            server.ask([{"role": "user", "content": "Hello"}])
        show_head()
        two_servers(servers, options.tokens, options.rounds)
        show_head()
        through_the_proxy(proxy, servers, options.tokens)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        group.end()


if __name__ == "__main__":
    main()
