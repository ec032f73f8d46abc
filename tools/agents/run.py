#!/usr/bin/env python3
"""Runs agents, unmodified and without a network, against kvasir serve, and counts what their turns cost.

  tools/agents/run.py FOLDER [AGENT...] [--binary build/release/kvasir] [--json FILE]

AGENT: llm qwen continue pi opencode claude codex; all but the last two if left out (tools/agents/nightly.sh
has all). Each is installed once below FOLDER. Everything else runs in a network namespace of its own in which
only loopback is up: needs root, or user namespaces.

The bundled model cannot call tools, so scripted_model.py stands between: it makes each reply a valid call of the
agent's own tool, three times, then an answer. Each agent runs three times, each with a fresh home and store:
  turns     alone; before its second and third request somebody asks for a title; each request is also asked
            with all the agent's tools, for a single token, to see that all of it is found again
  restart   the server is killed with SIGKILL before its third request, and started again
  together  two of it at the same time
Fails where an agent does, where it makes fewer than three calls, or where a request computes more than what is new.
"""

import argparse
import fcntl
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from agents import AGENTS, NIGHTLY, Place  # noqa: E402
from clients import harness  # noqa: E402
from scripted_model import ANSWER, Proxy, Script, history_change  # noqa: E402

INSIDE = "KVASIR_AGENTS_INSIDE"
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
AGENT_SECONDS_MAX = 600
BLOCK_TOKENS = 128  # what is not a whole block yet may be lost, and two at once may both compute
SCENARIOS = ("turns", "restart", "together")
MOVE_IN = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
TITLE = {"messages": [{"role": "system", "content": "You name conversations."},
                      {"role": "user", "content": "Name a conversation about commands that print words."}],
         "reasoning_effort": "none", "max_tokens": 16, "guided_regex": "Words that are printed"}


# ---- the namespace ------------------------------------------------------------------------------

def enter_namespace(rest):
    os.environ[INSIDE] = "1"
    options = ["--net"] if os.geteuid() == 0 else ["--net", "--map-root-user"]
    os.execvp("unshare", ["unshare", *options, sys.executable, __file__, *rest])


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
    interfaces = {name for _, name in socket.if_nameindex()}
    if interfaces - {"lo"}:
        sys.exit(f"not alone: {interfaces}")


# ---- one run of an agent ------------------------------------------------------------------------

class World:
    """A server with a store of its own, that can be killed and started again, and folders for agents."""

    def __init__(self, binary, installed):
        self.binary = binary
        self.installed = installed
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kvasir-agents-"))
        for name in ("work", "home"):
            (self.folder / name).mkdir()
        self.agents = []
        self.server = None
        self.start()

    def start(self):
        self.server = harness.Server(self.binary, store=self.folder / "store")

    def kill(self):
        self.server.kill()
        self.server.close()

    def close(self):
        for process in self.agents:
            process.kill()
            process.wait()
        self.server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def begin(self, agent, url, name):
        """Starts it with a home of its own, which it sees where every other one sees its own."""
        place = Place(installed=self.installed, stands=self.folder / name, home=self.folder / "home",
                      work=self.folder / "work", url=url)
        place.stands.mkdir()
        command, variables = agent.command(place)
        variables = {"PATH": os.environ["PATH"], "HOME": place.home, "TERM": "dumb", "LANG": "C.UTF-8", **variables}
        move_in = ["unshare", "--mount", "sh", "-c", MOVE_IN, "sh", place.stands, place.home]
        process = subprocess.Popen([*move_in, *command],
                                   cwd=place.work, env={key: str(value) for key, value in variables.items()},
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.agents.append(process)
        return process


def finished(process):
    try:
        output = process.communicate(timeout=AGENT_SECONDS_MAX)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        raise AssertionError(f"no end within {AGENT_SECONDS_MAX} s") from None
    harness.require_equal(process.returncode, 0, f"exit status ({output[-600:]!r})")
    harness.require(ANSWER in output, f"another answer: {output[-300:]!r}")


def asks_for_title(world):
    """Between the turns of a conversation a client asks for a title: another prompt."""
    def before(kind):
        if kind in ("turn 2", "turn 3"):
            world.server.json("/v1/chat/completions", TITLE)
    return before


def kills_once(world, of_proxy):
    killed = []

    def before(kind):
        if kind == "turn 3" and not killed:
            killed.append(kind)
            world.kill()
            world.start()
            of_proxy().server = world.server
    return before


def run_alone(world, agent, is_killed):
    proxy = None
    before = kills_once(world, lambda: proxy) if is_killed else asks_for_title(world)
    with Proxy(world.server, Script(agent.tool, agent.arguments), before, asks_whole=not is_killed) as proxy:
        finished(world.begin(agent, proxy.url, "one"))
        return [proxy.requests]


def run_together(world, agent):
    """Each has a proxy of its own, which says whose a request is; what it cost is in the log of accesses."""
    script = Script(agent.tool, agent.arguments)
    before = world.server.metrics()
    with Proxy(world.server, script, one_at_a_time=False) as one, \
            Proxy(world.server, script, one_at_a_time=False) as two:
        running = [world.begin(agent, one.url, "one"), world.begin(agent, two.url, "two")]
        for process in running:
            finished(process)
        after = one.settled_metrics()
    for request in [*one.requests, *two.requests]:
        read_costs(request, world.server.log())
    computed = "prompt_tokens_by_source_total:computed"
    harness.require_equal(sum(r.computed for r in [*one.requests, *two.requests]),
                          after[computed] - before[computed], "computed tokens, log and metrics")
    return [one.requests, two.requests]


def read_costs(request, log):
    line = next(line for line in log.splitlines() if f" id={request.id} " in line)
    prompt, ram, disk, sampled = (int(re.search(rf" {name}=(\d+)", line)[1])
                                  for name in ("prompt", "ram", "disk", "generated"))
    request.prompt, request.computed, request.sampled = prompt, prompt - ram - disk, sampled


# ---- what has to hold ---------------------------------------------------------------------------

def turns_of(requests):
    return [request for request in requests if request.kind != "title"]


def new_tokens(earlier, later):
    return later.prompt - earlier.prompt - earlier.sampled


def check_turns(requests):
    turns = turns_of(requests)
    harness.require_equal([turn.kind for turn in turns], ["turn 1", "turn 2", "turn 3", "answer"], "requests")
    for request in requests:
        harness.require_equal(request.status, 200, f"status of {request.kind}")
    for earlier, later in zip(turns, turns[1:]):
        changed = history_change(earlier.body, later.body)
        harness.require(not changed or changed.endswith("cache_control"), f"{later.kind} changed {changed}")


def check_computed(requests, lost_max):
    """lost_max: of the third turn, what the store did not have yet."""
    turns = turns_of(requests)
    for earlier, later in zip(turns, turns[1:]):
        new = new_tokens(earlier, later)
        # The newest sampled token was not computed yet.
        allowed = new + 1 + (lost_max if later.kind == "turn 3" else 0)
        harness.require(0 < new and later.computed <= allowed,
                        f"{later.kind} computed {later.computed} of {later.prompt} tokens, {new} of them new")


def check_whole(requests):
    """What was said and what came back is new to the whole request, which was not what it was said to."""
    turns = turns_of(requests)
    for earlier, later in zip(turns, turns[1:]):
        new = later.whole_prompt - earlier.whole_prompt
        harness.require(0 < new and later.whole_computed <= new + 1,
                        f"{later.kind}, whole, computed {later.whole_computed} of {later.whole_prompt}, {new} new")


def check_together(conversations):
    first = [turns_of(requests)[0] for requests in conversations]
    computed = sum(turn.computed for turn in first)
    harness.require(computed <= max(turn.prompt for turn in first) + BLOCK_TOKENS,
                    f"{computed} tokens computed of {[turn.prompt for turn in first]}")


# ---- the table ----------------------------------------------------------------------------------

def play(name, binary, folder, scenario):
    agent = AGENTS[name]
    world = World(binary, folder / name)
    try:
        together = scenario == "together"
        conversations = run_together(world, agent) if together else run_alone(world, agent, scenario == "restart")
        for requests in conversations:
            check_turns(requests)
            check_computed(requests, BLOCK_TOKENS if scenario == "restart" else 0)
        if scenario == "turns":
            check_whole(conversations[0])
        if together:
            check_together(conversations)
        return conversations
    finally:
        world.close()


def cost(turns):
    return f"{sum(t.computed for t in turns):,} of {sum(t.prompt for t in turns):,}"


def row_of(name, results):
    """What a page says of one agent."""
    turns = turns_of(results["turns"][0])
    cells = [f"{AGENTS[name].title} {AGENTS[name].version}", *(cost([turn]) for turn in turns)]
    cells.append(cost(turns_of(results["restart"][0])[2:3]))
    cells.append(cost([turns_of(requests)[0] for requests in results["together"]]))
    cells += [f"{turn.whole_computed:,} of {turn.whole_prompt:,}" for turn in turns[:2]]
    return "| " + " | ".join(cells) + " |"


def plain(result):
    def of(request):
        return {key: value for key, value in vars(request).items() if key != "body"}
    return [[of(request) for request in requests] for requests in result]


def run_all(arguments, folder):
    """({agent: {scenario: result}}, how many failed)"""
    results, failed = {}, 0
    for name in arguments.agents:
        results[name] = {}
        for scenario in arguments.scenario:
            begin = time.monotonic()
            try:
                results[name][scenario] = play(name, arguments.binary, folder, scenario)
                outcome = "ok"
            except AssertionError as error:
                outcome, failed = f"FAILED: {error}", failed + 1
            print(f"{name:<10} {scenario:<10} {time.monotonic() - begin:6.1f} s  {outcome}", flush=True)
    return results, failed


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("agents", nargs="*", metavar="AGENT")
    parser.add_argument("--binary", default=str(HERE.parent.parent / "build/release/kvasir"))
    parser.add_argument("--scenario", nargs="+", choices=SCENARIOS, default=SCENARIOS)
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    arguments.agents = arguments.agents or [name for name in AGENTS if name not in NIGHTLY]
    for name in arguments.agents:
        if name not in AGENTS:
            parser.error(f"no agent {name}: {' '.join(AGENTS)}")
    return arguments


def main():
    arguments = parse_arguments()
    folder = arguments.folder.resolve()
    if INSIDE not in os.environ:
        for name in arguments.agents:
            AGENTS[name].install(folder / name)
        enter_namespace(sys.argv[1:])
    raise_loopback()
    results, failed = run_all(arguments, folder)
    print("\n| agent | turn 1 | turn 2 | turn 3 | answer | turn 3 behind a `kill -9` | turn 1 of two at once "
          "| all tools, turn 1 | all tools, turn 2 |\n|---|" + "---:|" * 8)
    for name, of_agent in results.items():
        if len(of_agent) == len(SCENARIOS):
            print(row_of(name, of_agent))
    if arguments.json:
        plain_results = {n: {s: plain(r) for s, r in of.items()} for n, of in results.items()}
        arguments.json.write_text(json.dumps(plain_results, indent=1) + "\n")
    print(f"{sum(map(len, results.values()))} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
