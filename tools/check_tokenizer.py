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
import sys

import tokenizers

import tokenizer_probe
import tokenizer_samples

BATCH = 20000
PARTS_MAX = 24


def without_markers(path):
    """The tokenizer with no added tokens but those that SentencePiece finds in every text."""
    data = json.loads(path.read_text(encoding="utf-8"))
    data["added_tokens"] = [
        token for token in data["added_tokens"]
        if data["model"].get("byte_fallback") and not token["special"]
        and not token["content"].replace("\u2581", " ").strip()]
    data["post_processor"] = None
    return tokenizers.Tokenizer.from_str(json.dumps(data))


def keeps(tokenizer, text):
    """Whether the tokenizer loses nothing of the text."""
    normalizer = tokenizer.normalizer
    return normalizer is None or (normalizer.normalize_str(text) == text and "\u2581" not in text)


def reference_ids(tokenizer, texts):
    return [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]


def compare(arguments, tokenizer, mode, texts):
    expected = reference_ids(tokenizer, texts)
    found = tokenizer_probe.encode(arguments.probe, arguments.tokenizer, mode, texts)
    for text, ids_expected, (ids_found, comes_back) in zip(texts, expected, found):
        if ids_expected != ids_found:
            sys.exit(f"mode {mode.decode()}, text {ascii(text)}\n  expected {ids_expected}"
                     f"\n  found    {ids_found}")
        if not comes_back and keeps(tokenizer, text):
            sys.exit(f"text {ascii(text)}\n  decoding does not give it back")


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
    plain = without_markers(arguments.tokenizer)
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
