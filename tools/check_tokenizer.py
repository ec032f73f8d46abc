#!/usr/bin/env python3
"""Compares Kvasir's tokenizer with Hugging Face `tokenizers`, id by id.

  tools/check_tokenizer.py --probe build/release/tests/tokenizer_probe \\
      --tokenizer tests/data/tokenizer/tokenizer.json [--count 100000] [--seed 1] [--code-points]

Each random string is encoded twice: with added tokens matched, and as plain text. --code-points adds
a few strings around every single code point. Exits 1 at the first difference and prints it.
"""

import argparse
import itertools
import json
import pathlib
import struct
import subprocess
import sys

import tokenizers

import tokenizer_samples

BATCH = 20000
PARTS_MAX = 24


def without_added_tokens(path):
    data = json.loads(path.read_text(encoding="utf-8"))
    data["added_tokens"] = []
    data["post_processor"] = None
    return tokenizers.Tokenizer.from_str(json.dumps(data))


def reference_ids(tokenizer, texts):
    return [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]


def probe_ids(probe, path, mode, texts):
    request = bytearray()
    for text in texts:
        raw = text.encode("utf-8")
        request += mode + struct.pack("<I", len(raw)) + raw
    run = subprocess.run([probe, path], input=bytes(request), stdout=subprocess.PIPE, check=False)
    if run.returncode != 0:
        sys.exit(f"{probe} failed")
    results, offset = [], 0
    while offset < len(run.stdout):
        (count,) = struct.unpack_from("<I", run.stdout, offset)
        results.append(list(struct.unpack_from(f"<{count}i", run.stdout, offset + 4)))
        offset += 4 + 4 * count
    return results


def compare(arguments, tokenizer, mode, texts):
    expected = reference_ids(tokenizer, texts)
    found = probe_ids(arguments.probe, arguments.tokenizer, mode, texts)
    if len(found) != len(expected):
        sys.exit(f"{len(found)} answers to {len(expected)} strings")
    for text, ids_expected, ids_found in zip(texts, expected, found):
        if ids_expected != ids_found:
            sys.exit(f"mode {mode.decode()}, text {ascii(text)}\n  expected {ids_expected}"
                     f"\n  found    {ids_found}")


def around_code_points():
    for code_point in range(tokenizer_samples.LAST_CODE_POINT + 1):
        if code_point not in tokenizer_samples.SURROGATES:
            c = chr(code_point)
            yield f"{c}a{c}{c} {c}.{c}\n{c}7{c}中{c}  {c}\u0301{c}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--probe", required=True)
    parser.add_argument("--tokenizer", required=True, type=pathlib.Path)
    parser.add_argument("--count", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--code-points", action="store_true")
    arguments = parser.parse_args()

    with_added = tokenizers.Tokenizer.from_file(str(arguments.tokenizer))
    plain = without_added_tokens(arguments.tokenizer)
    added = [token.content for token in with_added.get_added_tokens_decoder().values()]
    texts = tokenizer_samples.samples(arguments.count, arguments.seed, added, PARTS_MAX)
    if arguments.code_points:
        texts = itertools.chain(texts, around_code_points())
    checked = 0
    while batch := list(itertools.islice(texts, BATCH)):
        compare(arguments, with_added, b"m", batch)
        compare(arguments, plain, b"i", batch)
        checked += len(batch)
    print(f"{checked} strings, each with and without added tokens: the same ids")


if __name__ == "__main__":
    main()
