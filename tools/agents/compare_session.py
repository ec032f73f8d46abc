#!/usr/bin/env python3
"""Plays one session of an agent to kvasir serve and to llama.cpp's llama-server, and counts prompt tokens.

  tools/agents/compare_session.py --model FILE.gguf --kvasir build/release/kvasir
      [--llama "llama-server"] [--llama-folder FOLDER] [--edit keep|branch] [--only WORDS] [--json FILE]

Ten turns: a long system text with tools, a request, then results of tools, each of a made-up text. Before
turn 6 the second message of the user's changes; between turns 8 and 9 the server is killed with SIGKILL and
started again. Both servers get the same texts; what the model answered goes back as each server gave it.
A server's count is its own: `usage` of kvasir, `timings` of llama-server.

llama-server runs with several settings, from those of an agent's manual to ones with help from outside: its
slot saved to a file after every turn and restored after the restart, which no agent asks for. Where it lives in
another root, --llama is a command such as "chroot DIR llama-server" and --llama-folder a folder of that root, into
which the model is copied: DIR:/tmp says that /tmp in there is DIR/tmp here.
"""

import argparse
import http.client
import json
import pathlib
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TURNS = 10
EDITED_BEFORE = 6
KILLED_BEFORE = 9
REPLY_TOKENS_MAX = 80
CONTEXT = 8192

SUBJECTS = ("the parser", "a reader", "the scheduler", "every worker", "the index", "a caller", "the cache",
            "this module", "the loader", "one thread")
VERBS = ("returns", "closes", "reads", "counts", "copies", "rejects", "waits for", "merges", "renames", "checks")
OBJECTS = ("the second table", "an empty list", "all open files", "each line of the log", "the last request",
           "a wrong header", "three buffers", "the newest entry", "its own lock", "no row at all")
TOOLS = (("read_file", "path"), ("write_file", "path"), ("list_folder", "path"), ("search_text", "pattern"),
         ("run_command", "command"), ("ask_user", "question"), ("fetch_page", "address"), ("make_plan", "goal"))


# ---- the session --------------------------------------------------------------------------------

def sentences(seed, count):
    chosen = random.Random(seed)
    return " ".join(f"{chosen.choice(SUBJECTS).capitalize()} {chosen.choice(VERBS)} {chosen.choice(OBJECTS)} "
                    f"in step {chosen.randint(1, 99)}." for _ in range(count))


def system_text():
    tools = [{"name": name, "description": sentences(name, 6),
              "parameters": {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}}
             for name, argument in TOOLS]
    return "\n\n".join(["You are an assistant for programmers. You work in a folder with the tools below.",
                        "# Rules", sentences("rules", 50), "# Tools", *map(json.dumps, tools)])


def user_text(turn, edited=False):
    if turn == 1:
        return "Find out why the report has no rows, and mend it. " + sentences("task", 4)
    seed = f"result {turn}" + (" edited" if edited else "")
    return f"Result of read_file(\"src/part_{turn}.txt\"):\n" + sentences(seed, 22)


class Session:
    """The messages, as a client holds them."""

    def __init__(self, edit):
        self.edit = edit
        self.messages = [{"role": "system", "content": system_text()}]

    def ask(self, turn):
        if turn == EDITED_BEFORE:
            self.messages[3] = {"role": "user", "content": user_text(2, edited=True)}
            if self.edit == "branch":
                del self.messages[4:]
                return self.messages
        self.messages.append({"role": "user", "content": user_text(turn)})
        return self.messages

    def answered(self, message):
        self.messages.append({"role": "assistant", "content": message.get("content") or ""})


# ---- servers ------------------------------------------------------------------------------------

class Server:
    """A process that answers Chat Completions; start() again after kill()."""

    def __init__(self, command, ready):
        self.command = command
        self.ready = ready
        self.process = None
        self.port = None

    def start(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen([*self.command, "--port", str(self.port)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            if self.process.poll() is not None:
                sys.exit(f"{self.command[0]} does not start")
            try:
                if self.call("GET", self.ready)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        sys.exit(f"{self.command[0]} does not get ready")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"content-type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, text

    def post(self, path, body):
        status, text = self.call("POST", path, body)
        if status != 200:
            sys.exit(f"{path}: {status} {text[:400]!r}")
        return json.loads(text)


class Kvasir:
    def __init__(self, name, arguments, folder, options=()):
        self.name = name
        self.server = Server([str(arguments.kvasir), "serve", "--model", str(arguments.model), "--threads",
                              str(arguments.threads), "--store", str(folder / name), "--quiet", *options], "/ready")

    def counts(self, reply):
        usage = reply["usage"]
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        return usage["prompt_tokens"], usage["prompt_tokens"] - cached

    def after_turn(self):
        """It needs no help."""

    def after_restart(self):
        """Nor here."""


class Llama:
    def __init__(self, name, arguments, folder, options=(), saves_slots=False):
        self.name = name
        self.saves_slots = saves_slots
        saved = f"{folder}/{name.replace(' ', '-')}"
        pathlib.Path(arguments.llama_outside + saved).mkdir(parents=True)
        self.server = Server([*shlex.split(arguments.llama), "--model", arguments.llama_model, "--threads",
                              str(arguments.threads), "--ctx-size", str(CONTEXT), "--parallel", "1", "--jinja",
                              "--slot-save-path", saved, "--host", "127.0.0.1", *options], "/health")

    def counts(self, reply):
        return reply["usage"]["prompt_tokens"], reply["timings"]["prompt_n"]

    def after_turn(self):
        if self.saves_slots:
            self.server.post("/slots/0?action=save", {"filename": "session.bin"})

    def after_restart(self):
        if self.saves_slots:
            self.server.post("/slots/0?action=restore", {"filename": "session.bin"})


# ---- playing ------------------------------------------------------------------------------------

def play(peer, edit):
    """(prompt tokens, computed ones, seconds) of each turn."""
    session = Session(edit)
    rows = []
    peer.server.start()
    try:
        for turn in range(1, TURNS + 1):
            if turn == KILLED_BEFORE:
                peer.server.kill()
                peer.server.start()
                peer.after_restart()
            body = {"messages": session.ask(turn), "temperature": 0, "max_tokens": REPLY_TOKENS_MAX}
            begin = time.monotonic()
            reply = peer.server.post("/v1/chat/completions", body)
            rows.append((*peer.counts(reply), time.monotonic() - begin))
            print(f"{peer.name}: turn {turn}: {rows[-1][1]} of {rows[-1][0]}", file=sys.stderr)
            session.answered(reply["choices"][0]["message"])
            peer.after_turn()
    finally:
        peer.server.kill()
    return rows


def note_of(turn):
    return {EDITED_BEFORE: "edit", KILLED_BEFORE: "kill -9"}.get(turn, "")


def show(results):
    names = list(results)
    print("| turn | " + " | ".join(names) + " |")
    print("|---|" + "---:|" * len(names))
    for turn in range(1, TURNS + 1):
        cells = [f"{results[n][turn - 1][1]:,} of {results[n][turn - 1][0]:,}" for n in names]
        print(f"| {turn} {note_of(turn)} | " + " | ".join(cells) + " |")
    totals = {n: sum(row[1] for row in results[n]) for n in names}
    print("| computed | " + " | ".join(f"{totals[n]:,}" for n in names) + " |")
    base = totals[names[0]]
    print("| ratio | " + " | ".join(f"{totals[n] / base:.2f}" for n in names) + " |")
    print("| seconds | " + " | ".join(f"{sum(row[2] for row in results[n]):.1f}" for n in names) + " |")


def llama_version(arguments):
    out = subprocess.run([*shlex.split(arguments.llama), "--version"], capture_output=True, text=True)
    found = re.search(r"version:.*", out.stdout + out.stderr)
    return found[0] if found else "version unknown"


def llama_peers(arguments, folder):
    recall = ("--cache-ram", "8192")
    shift = (*recall, "--cache-reuse", "64")
    return [Llama("llama-server", arguments, folder, recall),
            Llama("llama-server, cache-reuse", arguments, folder, shift),
            Llama("llama-server, slots saved", arguments, folder, recall, saves_slots=True),
            Llama("llama-server, both", arguments, folder, shift, saves_slots=True)]


def prepare_llama(arguments, folder):
    """Where llama-server sees the model and its folder."""
    outside, _, inside = arguments.llama_folder.rpartition(":")
    arguments.llama_outside = outside
    work = pathlib.Path(outside + inside) / folder.name
    work.mkdir(parents=True, exist_ok=True)
    shutil.copy(arguments.model, work / "model.gguf")
    arguments.llama_model = f"{inside}/{folder.name}/model.gguf"
    return f"{inside}/{folder.name}", work


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, required=True, help="a GGUF file")
    parser.add_argument("--kvasir", type=pathlib.Path, default=ROOT / "build/release/kvasir")
    parser.add_argument("--llama", default="llama-server", metavar="COMMAND")
    parser.add_argument("--llama-folder", default=tempfile.gettempdir(), metavar="[ROOT:]FOLDER")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--edit", choices=("keep", "branch"), default="keep",
                        help="what stands behind the message that changes stays, or goes")
    parser.add_argument("--only", default="", metavar="WORDS", help="peers whose names have it, beside kvasir")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="kvasir-session-") as name:
        folder = pathlib.Path(name)
        inside, work = prepare_llama(arguments, folder)
        try:
            print(llama_version(arguments))
            peers = [Kvasir("kvasir", arguments, folder)]
            peers += [p for p in llama_peers(arguments, inside) if arguments.only in p.name]
            results = {peer.name: play(peer, arguments.edit) for peer in peers}
        finally:
            if work != folder:
                shutil.rmtree(work)
    show(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
