#!/usr/bin/env python3
"""Compares the calls of tools that Kvasir reads in DeepSeek-V4's and V4.1's replies with those that their makers' parser reads.

  tools/crosscheck_calls.py --probe build/release/tests/call_probe --tokenizer models/kvasir-tiny/tokenizer.json \\
      [--variant v4.1] [--count 3000] [--seed 1] [--write]

Needs deepseek-recipe==0.2.0. Random replies: well-formed ones, and ones with what the parser tolerates, whole
or cut off at any id. --write writes some whole ones with the parser's answers into tests/golden/calls.

On purpose Kvasir leaves newlines around reasoning as they are, ends with the block whatever its name, writes names into JSON with escapes, and
begins a new call where the tag that ends the one before is missing.
"""

import argparse
import collections
import json
import pathlib
import random
import re
import subprocess
import sys

from deepseek_variants import add_variant, golden_file, variant_tokenizer

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/calls"
MARKER = "｜DSML｜"
TEXTS = ("", "Hi.", "Let me see", "a < b", "x\n\ny", "\n", " \n", "</", "<", "é 🎉 系统", "{\"a\": 1}", "｜", "<|DSML|tool_calls>",
         f"{MARKER}", f"</{MARKER}x")
VALUES = ("", "rain", "a\"b\\c", "line\nnext\t\r\x00\x1f\x7f\u2028", "é 🎉 系统", "a<b </x> <", "</", "<", "</parameter>",
          f"<{MARKER}b>", MARKER, "<think>x</think>", "1", " x ", "\n")
JSONS = ("1", "-0.5e3", "true", "null", "[1, {\"c\": \"é\"}]", "{}", "\n{\"a\": [\n1]}\n", "bare text", "")
NAMES = ("f", "get_weather", "a.b-c", "é", "")
KEYS = ("place", "days", "x_1", "ключ")
EDGE = re.compile(r'\{?\}?|"|(\{|, )?("[^"]*"?(: )?"?)?', re.DOTALL)


class Replies:
    def __init__(self, arguments):
        self.random = random.Random(arguments.seed)
        self.is_v41 = arguments.variant == "v4.1"

    def name(self, name):
        """Of a tag, as the variant writes it, seldom as the other does."""
        blank = " " if self.is_v41 != (self.random.random() < 0.03) else ""
        return blank + name

    def newline(self):
        return "" if self.random.random() < 0.1 else "\n"

    def parameter(self):
        is_text = self.random.random() < 0.6
        value = self.random.choice(VALUES if is_text else JSONS)
        return (f'<{MARKER}{self.name("parameter")} name="{self.random.choice(KEYS)}" string="{str(is_text).lower()}">{value}'
                f"</{MARKER}{self.name('parameter')}>{self.newline()}")

    def call(self):
        between = self.random.choice(("", "", "", "\n", "text"))
        return (f'<{MARKER}{self.name("invoke")} name="{self.random.choice(NAMES)}">{self.newline()}{between}'
                + "".join(self.parameter() for _ in range(self.random.randint(0, 3)))
                + f"</{MARKER}{self.name('invoke')}>{self.newline()}")

    def block(self):
        name = self.name("calls") if self.is_v41 else self.random.choice(("tool_calls",) * 5 + ("function_calls",))
        text = f"<{MARKER}{name}>{self.newline()}" if self.random.random() < 0.9 else "<" + MARKER
        calls = "".join(self.call() for _ in range(self.random.randint(1, 3)))
        if text == "<" + MARKER:
            return calls
        return text + calls + (f"</{MARKER}{name}>" if self.random.random() < 0.9 else "")

    def reply(self):
        thinking = self.random.random() < 0.5
        text = ""
        if thinking:
            text = self.random.choice(TEXTS) + self.random.choice(("</think>", "</think>\n\n", "</think>", ""))
        text += self.random.choice(TEXTS) + self.random.choice(("\n\n", "\n\n", "\n", "", "\n\n\n"))
        if self.random.random() < 0.8:
            text += self.block()
            # Behind the other name of the block the makers' parser reads on.
            if text.endswith(("/" + MARKER + "tool_calls>", "/" + MARKER + " calls>")):
                text += self.random.choice(("", "\n", "And so", self.block()))
        return text, thinking


class Recipe:
    def __init__(self, arguments):
        import deepseek_recipe
        self.recipe = deepseek_recipe
        versions = deepseek_recipe.ModelVersion
        self.version = versions.DeepseekV41Flash if arguments.variant == "v4.1" else versions.DeepseekV4Pro
        self.tokenizer = deepseek_recipe.Tokenizer.from_file(arguments.tokenizer)

    def chunks(self, ids, thinking):
        recipe = self.recipe
        conversation = recipe.Conversation([recipe.UserMessage("Hi")], thinking_mode=thinking,
                                           tools=[recipe.ToolDefinition("f", "", {})])
        request = recipe.ConversationRequest(conversation, self.version)
        stage = recipe.ThinkingInitialStage.ReasoningStart if thinking else None
        processor = recipe.StreamProcessor(
            recipe.ChatCompletionRequest.chunk_generator(request, "id", "model"),
            recipe.ParsingOptions(thinking_initial_stage=stage), self.tokenizer)
        yield from processor.push(recipe.InferenceChunk.ready())
        for one in ids:
            yield from processor.push(recipe.InferenceChunk.tokens([one]))
        yield from processor.push(recipe.InferenceChunk.finish(recipe.InferenceFinishReason.Stop))
        yield from processor.finish()

    def read(self, ids, thinking):
        read = {"reasoning": "", "answer": "", "calls": []}
        for chunk in self.chunks(ids, thinking):
            for choice in json.loads(chunk.to_json()).get("choices", []):
                delta = choice.get("delta", {})
                read["reasoning"] += delta.get("reasoning_content") or ""
                read["answer"] += delta.get("content") or ""
                for call in delta.get("tool_calls") or []:
                    if call.get("id"):
                        read["calls"].append({"name": call["function"]["name"], "arguments": ""})
                    read["calls"][-1]["arguments"] += call["function"].get("arguments") or ""
        return read


def plain(read):
    """Without newlines at the ends, of which the parsers leave out different ones, and without a character
    that the end cuts."""
    return tuple(read[part].rstrip("\ufffd").strip("\n") for part in ("reasoning", "answer"))


def same(found, expected, is_whole):
    if plain(found) != plain(expected):
        return False
    calls = [(one["name"], one["arguments"].rstrip("\ufffd")) for one in found["calls"]]
    wanted = [(one["name"], one["arguments"]) for one in expected["calls"]]
    if is_whole or calls == wanted:
        return calls == wanted
    # The makers' parser tells the beginning of a tag, Kvasir a whole one.
    if len(calls) + 1 == len(wanted) and not wanted[-1][1]:
        wanted.pop()
    return len(calls) == len(wanted) and calls[:-1] == wanted[:-1] and (
        not calls or calls[-1][0] == wanted[-1][0] and wanted[-1][1].startswith(calls[-1][1])
        and EDGE.fullmatch(wanted[-1][1][len(calls[-1][1]):]) is not None)


def probed(arguments, requests):
    lines = "".join(json.dumps(one) + "\n" for one in requests)
    run = subprocess.run([arguments.probe, arguments.tokenizer], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in run.stdout.decode().split("\n") if line]


def check(arguments, recipe):
    replies = Replies(arguments)
    requests = []
    for _ in range(arguments.count):
        text, thinking = replies.reply()
        ids = recipe.tokenizer.encode(text)
        size = len(ids) if replies.random.random() < 0.5 else replies.random.randint(0, len(ids))
        requests.append({"ids": ids[:size], "thinking": thinking, "is_whole": size == len(ids), "text": text})
    counts = collections.Counter()
    for request, found in zip(requests, probed(arguments, requests)):
        expected = recipe.read(request["ids"], request["thinking"])
        good = same(found, expected, request["is_whole"])
        counts["whole" if request["is_whole"] else "cut", "agreeing" if good else "differing"] += 1
        if not good and sum(count for kind, count in counts.items() if kind[1] == "differing") <= arguments.show:
            print(f"{request['text']!r} {request['thinking']} {len(request['ids'])} ids\n  expected {expected}\n"
                  f"  found    {found}")
    print(", ".join(f"{kind} {how}: {count}" for (kind, how), count in sorted(counts.items())))
    return all(how == "agreeing" for _, how in counts)


def write_golden(arguments, recipe):
    replies = Replies(arguments)
    lines = []
    for _ in range(60):
        text, thinking = replies.reply()
        ids = recipe.tokenizer.encode(text)
        reasoning, answer = plain(recipe.read(ids, thinking))
        lines.append(json.dumps({"ids": ids, "thinking": thinking, "reasoning": reasoning, "answer": answer,
                                 "calls": recipe.read(ids, thinking)["calls"]}, ensure_ascii=False))
    GOLDEN.mkdir(parents=True, exist_ok=True)
    golden_file(GOLDEN, arguments).write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--probe", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=5, help="print so many differences")
    parser.add_argument("--write", action="store_true", help="write the golden file")
    add_variant(parser)
    arguments = parser.parse_args()
    with variant_tokenizer(arguments) as arguments.tokenizer:
        recipe = Recipe(arguments)
        if arguments.write:
            write_golden(arguments, recipe)
        good = check(arguments, recipe)
    sys.exit(not good)


if __name__ == "__main__":
    main()
