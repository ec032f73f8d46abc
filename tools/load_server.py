#!/usr/bin/env python3
"""Puts random load on kvasir serve, from clients that behave and clients that do not, then asks it to end.

  tools/load_server.py [--binary build/asan/kvasir] [--seconds 180] [--clients 50] [--seed N]
      [-- OPTIONS OF kvasir serve]

It starts a server on a free port, with a store that is deleted afterwards. Every client does one thing after the
other, each chosen at random: whole and streamed requests to every route, several on one connection, bent heads and
bodies, connections cut in the head, in the body and in the stream, slow writers, slow readers. A response has to be
HTTP, to have a status that /openapi.json names, and to be what its dialect promises; a seeded question has to have
the same answer whoever asks it besides. When all have ended, /metrics must count nothing as under way. Then the
server gets SIGTERM while it answers: what has begun has to end well, and its exit status has to be 0.

It needs nothing but Python. A server that was built with a sanitizer (presets asan and tsan) tells its own findings:
they fail this program too.
"""

import argparse
import collections
import pathlib
import random
import re
import sys
import threading
import time
import traceback

from clients import harness
from load import acts, asks

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATIENCE_S = 300  # of a client with a server that a sanitizer slows down
RETRY_S = 4  # at most, after a refusal for want of room
DRAIN_S = 120
WITNESS_TOKENS = 60
FAILURES_SHOWN = 20
FINDING = re.compile(r"ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error:|kvasir: bug|terminate called")


class Tally:
    """What was done and what was wrong; clients of all threads add to it."""

    def __init__(self):
        self._lock = threading.Lock()
        self.done = collections.Counter()
        self.statuses = collections.Counter()
        self.failures = []
        self._answers = {}

    def add(self, act, statuses):
        with self._lock:
            self.done[act] += 1
            self.statuses.update(statuses)

    def fail(self, text):
        with self._lock:
            self.failures.append(text)

    def require_same(self, question, answer):
        """The first answer to a seeded question is that of all who ask it."""
        with self._lock:
            first = self._answers.setdefault(question, answer)
        harness.require_equal(answer, first, f"the answer to {question[:200]}")


class Client(threading.Thread):
    """Does one thing after the other until it is told to stop."""

    def __init__(self, server, tally, seed, statuses, stop):
        super().__init__(daemon=True)
        self._world = acts.World(server.host, server.port, random.Random(seed), statuses, tally.require_same,
                                 PATIENCE_S)
        self._tally = tally
        self._seed = seed
        self._stop_event = stop

    def run(self):
        while not self._stop_event.is_set():
            act = self._world.random.choices(list(acts.ACTS), acts.ACTS.values())[0]
            try:
                statuses = act(self._world)
                self._tally.add(act.__name__, statuses)
                if 429 in statuses:
                    time.sleep(RETRY_S * self._world.random.random())
            except Exception as error:  # whatever went wrong is the finding
                self._tally.fail(f"{act.__name__} (seed {self._seed}): {type(error).__name__}: {error}\n"
                                 + "".join(traceback.format_exc().splitlines(True)[-4:-1]))


def run_clients(arguments, server, tally, statuses):
    stop = threading.Event()
    clients = [Client(server, tally, arguments.seed * 100_000 + i, statuses, stop) for i in range(arguments.clients)]
    for client in clients:
        client.start()
    time.sleep(arguments.seconds)
    stop.set()
    end = time.monotonic() + PATIENCE_S
    for client in clients:
        client.join(max(0.0, end - time.monotonic()))
    stuck = sum(client.is_alive() for client in clients)
    if stuck:
        tally.fail(f"{stuck} clients still wait {PATIENCE_S} s after the end")


def check_idle(server, tally):
    """Nothing is under way, and no prompt token has come from two places; those of clients that left came from none."""
    end = time.monotonic() + 30
    while True:
        metrics = server.metrics()
        busy = {name: metrics[name] for name in ("num_requests_running", "num_requests_waiting", "num_tokens_waiting")
                if metrics[name]}
        if metrics["http_connections"] > 1:
            busy["http_connections"] = metrics["http_connections"]
        if not busy:
            break
        if time.monotonic() > end:
            return tally.fail(f"without clients, /metrics says {busy}")
        time.sleep(0.1)
    sources = sum(value for name, value in metrics.items() if name.startswith("prompt_tokens_by_source_total:"))
    if sources > metrics["prompt_tokens_total"]:
        tally.fail(f"{sources} prompt tokens by source, {metrics['prompt_tokens_total']} in all")
    if metrics.get("store_verify_failures_total") or metrics.get("store_io_failures_total"):
        tally.fail("the store has failed to read or to write")


class Witness(threading.Thread):
    """One streamed answer that has begun before the server is told to end."""

    def __init__(self, server, seed, tally):
        super().__init__(daemon=True)
        self._body = {**asks.chat_body(random.Random(seed)), "stream": True, "n": 1, "max_tokens": WITNESS_TOKENS,
                      "ignore_eos": True}
        self._server = server
        self._tally = tally
        self.has_begun = threading.Event()

    def run(self):
        try:
            answer = acts.stream(self._server, self._body, PATIENCE_S, self.has_begun.set)
            asks.check_chat(self._body, answer)
        except Exception as error:
            self._tally.fail(f"an answer that had begun before SIGTERM: {type(error).__name__}: {error}")
        finally:
            self.has_begun.set()


def end_while_busy(server, tally, seed):
    witnesses = [Witness(server, seed + i, tally) for i in range(8)]
    for witness in witnesses:
        witness.start()
    for witness in witnesses:
        witness.has_begun.wait(PATIENCE_S)
    start = time.monotonic()
    server.terminate()
    status = server.wait(DRAIN_S + PATIENCE_S)
    for witness in witnesses:
        witness.join(10)
    if status != 0:
        tally.fail(f"exit status {status} after SIGTERM")
    return time.monotonic() - start


def check_log(server, tally):
    found = FINDING.search(server.log())
    if found:
        tally.fail(server.log()[found.start():][:8000])


def report(tally, ended_after_s):
    print("acts:     " + ", ".join(f"{name} {count}" for name, count in sorted(tally.done.items())))
    print("statuses: " + ", ".join(f"{status} {count}" for status, count in sorted(tally.statuses.items())))
    print(f"ended {ended_after_s:.1f} s after SIGTERM")
    for failure in tally.failures[:FAILURES_SHOWN]:
        print("FAILED: " + failure)
    print(f"{sum(tally.done.values())} done well, {len(tally.failures)} failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "build/release/kvasir"))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("more", nargs="*", help="options of kvasir serve, after --")
    arguments = parser.parse_args()
    tally = Tally()
    options = ["--running", "16", "--queue", "32", "--drain", str(DRAIN_S), *arguments.more]
    with harness.Server(arguments.binary, *options) as server:
        ended_after_s = 0.0
        try:
            run_clients(arguments, server, tally, asks.documented_statuses(server.json("/openapi.json")))
            check_idle(server, tally)
            ended_after_s = end_while_busy(server, tally, arguments.seed)
        except OSError as error:
            tally.fail(f"the server does not answer any more: {error}")
        check_log(server, tally)
    report(tally, ended_after_s)
    sys.exit(1 if tally.failures or not tally.done else 0)


if __name__ == "__main__":
    main()
