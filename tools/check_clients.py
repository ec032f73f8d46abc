#!/usr/bin/env python3
"""Asks kvasir serve everything that the official clients can ask it, with the clients unmodified.

  python3 -m venv VENV && VENV/bin/pip install openai==3.57.0 anthropic==2.14.0
  (cd NODE && npm install openai)               # for the cases of JavaScript; skipped without
  tools/check_clients.py --python VENV/bin/python --node-modules NODE [--only WORDS]

It starts servers on the bundled model itself, each on a free port and a store that is deleted
afterwards, prints a line for each client and case, and fails where one of them does. WORDS choose
the cases whose client and name have them all. The cases of patience take minutes.
"""

import argparse
import os
import pathlib
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=str(ROOT / "build/release/kvasir"))
    parser.add_argument("--python", help="one that has openai and anthropic; this one if left out")
    parser.add_argument("--node", default="node")
    parser.add_argument("--node-modules", metavar="FOLDER", help="where npm installed openai")
    parser.add_argument("--only", default="", metavar="WORDS")
    return parser.parse_args()


def go_on_under(python):
    arguments = [a for a in sys.argv[1:]]
    at = next(i for i, a in enumerate(arguments) if a.split("=")[0] == "--python")
    del arguments[at:at + (1 if "=" in arguments[at] else 2)]
    os.execv(python, [python, __file__, *arguments])


def run(client, name, function, world, skipped):
    start = time.monotonic()
    try:
        function(world)
        result = "ok"
    except skipped as reason:
        result = f"skipped: {reason}"
    except Exception as error:  # whatever a client makes of it is the result
        result = f"FAILED: {type(error).__name__}: {error}"
        traceback.print_exc()
    print(f"{client:<12} {name:<58} {time.monotonic() - start:6.1f} s  {result[:300]}", flush=True)
    return result


def main():
    arguments = parse_arguments()
    if arguments.python:
        go_on_under(arguments.python)
    from clients import harness
    from clients import (chat_cases, completions_cases, error_cases, messages_cases, node_cases,  # noqa: F401
                         patience_cases, responses_cases, shape_cases, tool_cases)
    world = harness.World(arguments.binary, arguments.node_modules, arguments.node)
    words = arguments.only.split()
    chosen = [c for c in harness.CASES if all(word in f"{c[0]} {c[1]}" for word in words)]
    try:
        results = [run(*one, world, harness.Skipped) for one in chosen]
    finally:
        world.close()
    failed = sum(result.startswith("FAILED") for result in results)
    skipped = sum(result.startswith("skipped") for result in results)
    print(f"{len(results) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not results else 0)


if __name__ == "__main__":
    main()
