#!/usr/bin/env python3
"""Reads one very long text within little RAM, asks about its beginning, stops, starts again, asks on.

    tools/long_read.py --kvasir build/release/kvasir --tokens 300000 --text FILE

Eight sentences are planted at the beginning of the text; the book in data/ stands in for one, as often
as it takes. Repeating a text is harder than a longer one: what resembles the answer comes again with
every repetition. The first process reads all of it and answers the first question. For each other question
a new process is started, which is given the same text and that question, and continues from the store. The
RAM budget is the least that `kvasir plan` names for so many tokens: about 29 % of the cache at 300,000
tokens, 26 % at 900,000.
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
    ("The dog of Lucy Allen is called Thunder.", "What is the dog of Lucy Allen called?", "Thunder"),
    ("Isaac Norris has a ship called Patience.", "What is the name of the ship that Isaac Norris keeps?",
     "Patience"),
    ("The gold of Simon Price is kept at Dover.", "At what place is the gold of Simon Price kept?",
     "Dover"),
    ("There are 47 candles that belong to Jacob Wood.", "How many candles belong to Jacob Wood?", "47"),
    ("Sarah King opens the garden with the code TX53.", "Which code opens the garden of Sarah King?",
     "TX53"),
    ("The books of Aaron Grant are 65 in number.", "How many books does Aaron Grant own?", "65"),
]
PLANT_EVERY = 4  # sentences
BYTES_PER_TOKEN = 3.8  # of prose with the bundled model's tokenizer, about


def long_text(path, tokens):
    text = " ".join(pathlib.Path(path).read_text().split()) + " "
    length = int(tokens * BYTES_PER_TOKEN)
    text = (text * (length // len(text) + 1))[:length]
    sentences = text.split(". ", PLANT_EVERY * len(FACTS))
    for i, (fact, _, _) in enumerate(FACTS):
        # A fact ends in a full stop of its own.
        sentences[PLANT_EVERY * (i + 1) - 1] += ". " + fact[:-1]
    return ". ".join(sentences)


def ask(kvasir, options, message):
    """The turn, and seconds of the whole process."""
    start = time.monotonic()
    done = subprocess.run(
        [kvasir, "chat", "--json", "--max-tokens", "24", *options],
        input=message + "\n", capture_output=True, text=True)
    seconds = time.monotonic() - start
    if done.returncode != 0:
        sys.exit(f"kvasir failed: {done.stderr.strip()}")
    return json.loads(done.stdout), seconds


def plan(kvasir, tokens, kv):
    """Bytes of the whole cache of so many tokens, and the least --ram for it."""
    command = [kvasir, "plan", str(ROOT / "models/kvasir-tiny"), "--context", str(tokens), "--kv", kv,
               "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    bill = json.loads(done.stdout)["bill"]
    return bill["ram_bytes"], bill["ram_budget_bytes"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kvasir", default=str(ROOT / "build/release/kvasir"))
    parser.add_argument("--tokens", type=int, default=200_000)
    parser.add_argument("--text", default=ROOT / "data/book.txt", help="what is read, from its beginning")
    parser.add_argument("--kv", default="native", help="the cache's precision")
    parser.add_argument("--dir", default=None, help="where the store lies for the time")
    arguments = parser.parse_args()

    text = long_text(arguments.text, arguments.tokens)
    _, ram_bytes = plan(arguments.kvasir, arguments.tokens, arguments.kv)
    with tempfile.TemporaryDirectory(dir=arguments.dir) as store:
        options = ["--store", store, "--ram", str(ram_bytes), "--kv", arguments.kv]
        right_count = 0
        for i, (_, question, answer) in enumerate(FACTS):
            turn, seconds = ask(arguments.kvasir, options, text + " " + question)
            if i == 0:
                report_reading(turn, ram_bytes, plan(arguments.kvasir, turn["prompt_tokens"], arguments.kv)[0])
            report_answer(turn, seconds, question)
            right_count += answer in turn["text"]
    print(f"right      {right_count} of {len(FACTS)} answers")
    return 0 if right_count == len(FACTS) else 1


def report_reading(turn, ram_bytes, cache_bytes):
    print(f"read       {turn['prompt_tokens']} tokens in {turn['prefill_ms'] / 1000:.1f} s")
    percent = 100 * ram_bytes / cache_bytes
    print(f"RAM        {ram_bytes} bytes, {percent:.1f} % of the {cache_bytes} that all rows take; "
          f"held {turn['kv_bytes']}, peak RSS {turn['rss_peak_bytes']}")


def report_answer(turn, seconds, question):
    print(f"question   {question}  answer: {turn['text']}")
    print(f"           {turn['reused_tokens']} tokens reused; first token after {turn['ttft_ms']:.0f} ms, "
          f"{seconds:.2f} s from start to end", flush=True)


if __name__ == "__main__":
    sys.exit(main())
