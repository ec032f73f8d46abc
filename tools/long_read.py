#!/usr/bin/env python3
"""Reads one very long text within little RAM, asks about its beginning, stops, starts again, asks on.

    tools/long_read.py --kvasir build/release/kvasir --tokens 1000000

Two sentences are planted at the beginning; the book follows as often as it takes. The first process
reads all of it and answers the first question. The second one is given the same text and question and
another question: it continues from the store. The RAM budget is a quarter of what the cache takes, which
is enough from some 600,000 tokens on.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FACTS = [
    ("Marianne Bates owns 82 oxen.", "How many oxen does Marianne Bates own?", "82"),
    ("Henry Russell keeps the wine at Lisbon.", "Where does Henry Russell keep the wine?", "Lisbon"),
]
BOOK_TOKENS = 55_800  # of data/book.txt with the bundled model's tokenizer, about


def long_text(tokens):
    book = " ".join((ROOT / "data/book.txt").read_text().split())
    text = (book + " ") * (tokens // BOOK_TOKENS + 1)
    text = text[: len(book) * tokens // BOOK_TOKENS]
    first_stop = text.index(". ") + 2
    planted = " ".join(fact for fact, _, _ in FACTS)
    return text[:first_stop] + planted + " " + text[first_stop:]


def chat(kvasir, options, lines):
    """The turns, and seconds of the whole process."""
    start = time.monotonic()
    done = subprocess.run(
        [kvasir, "chat", "--json", "--max-tokens", "24", *options],
        input="".join(line + "\n" for line in lines), capture_output=True, text=True)
    seconds = time.monotonic() - start
    if done.returncode != 0:
        sys.exit(f"kvasir failed: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()], seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kvasir", default=str(ROOT / "build/release/kvasir"))
    parser.add_argument("--tokens", type=int, default=200_000)
    parser.add_argument("--dir", default=None, help="where the store lies for the time")
    parser.add_argument("--share", type=float, default=0.25,
                        help="RAM budget as a share of the cache; short texts need more than a quarter")
    parser.add_argument("--bytes-per-token", type=float, default=182.6, help="of the cache, whole")
    arguments = parser.parse_args()

    text = long_text(arguments.tokens)
    ram_bytes = int(arguments.tokens * arguments.bytes_per_token * arguments.share)
    with tempfile.TemporaryDirectory(dir=arguments.dir) as store:
        options = ["--store", store, "--ram", str(ram_bytes)]
        message = text + " " + FACTS[0][1]
        first, first_seconds = chat(arguments.kvasir, options, [message])
        second, second_seconds = chat(arguments.kvasir, options, [message, FACTS[1][1]])

    tokens = first[0]["prompt_tokens"]
    whole_bytes = tokens * arguments.bytes_per_token
    print(f"read       {tokens} tokens in {first[0]['prefill_ms'] / 1000:.1f} s")
    print(f"RAM        {ram_bytes} bytes for a cache of {whole_bytes:.0f}; "
          f"held {first[0]['kv_bytes']}, peak RSS {first[0]['rss_peak_bytes']}")
    print(f"question   {FACTS[0][1]}  answer: {first[0]['text']}  ({first_seconds:.1f} s in all)")
    print(f"again      {second[0]['reused_tokens']} tokens reused, {second[0]['computed_tokens']} "
          f"computed; first token after {second[0]['ttft_ms']:.0f} ms")
    print(f"question   {FACTS[1][1]}  answer: {second[1]['text']}  "
          f"({second_seconds:.2f} s from start to end)")
    right = all(answer in turn["text"] for turn, (_, _, answer) in zip(second, FACTS))
    print("both right" if right else "NOT right")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
