#!/usr/bin/env python3
"""Counts the texts that Kvasir and the models' own tokenizers encode differently.

  tools/check_vocabularies.py --probe build/release/tests/tokenizer_probe \\
      --golden FOLDER [--gguf-folder FOLDER] NAME=FILE...

FOLDER holds texts.jsonl.gz, one JSON object a line: "t" a text, and maybe "i" and "s", its ids with
added tokens taken as text and matched ("s" only where they differ); and NAME.jsonl.gz, one JSON list
of ids a line, added tokens matched. FILE is the tokenizer.json, or a GGUF file, that goes with NAME;
for NAME "texts" the ids are those of texts.jsonl.gz. With --gguf-folder each tokenizer.json is also
written as a GGUF file there, with NAME as its pre-tokenizer ("spm-..." as SentencePiece's), and
checked in that form (needs the Python package gguf). Exits 1 when anything differs.
"""

import argparse
import gzip
import json
import pathlib
import sys

import tokenizer_probe

NORMAL, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 3, 4, 5, 6
BLANK_SIGN = "\u2581"
NO_MERGE = -1e9
USER_DEFINED_SCORE = -1000.0


def lines_of(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def merge_pair(merge):
    return merge.split(" ") if isinstance(merge, str) else merge


def type_of(token, added, is_sentence_piece):
    if token in added:
        return CONTROL if added[token]["special"] else USER_DEFINED
    is_byte = is_sentence_piece and len(token) == 6 and token.startswith("<0x")
    return BYTE if is_byte else NORMAL


def write_gguf(name, source, path):
    import gguf

    data = json.loads(source.read_text(encoding="utf-8"))
    model = data["model"]
    added = {token["content"]: token for token in data["added_tokens"]}
    ids = dict(model["vocab"]) | {content: token["id"] for content, token in added.items()}
    by_id = {token_id: token for token, token_id in ids.items()}
    is_sentence_piece = name.startswith("spm-")
    tokens = [by_id.get(i, f"[PAD{i}]") for i in range(max(by_id) + 1)]
    types = [type_of(by_id[i], added, is_sentence_piece) if i in by_id else UNUSED
             for i in range(len(tokens))]
    ranks = {}
    for rank, merge in enumerate(model["merges"]):
        ranks.setdefault("".join(merge_pair(merge)), rank)

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("llama" if is_sentence_piece else "gpt2")
    writer.add_tokenizer_pre("default" if is_sentence_piece else name)
    if is_sentence_piece:
        scores = [float(-ranks[token]) if token in ranks else NO_MERGE for token in tokens]
        for i, kind in enumerate(types):
            if kind == USER_DEFINED:
                tokens[i] = tokens[i].replace(BLANK_SIGN, " ")
                scores[i] = USER_DEFINED_SCORE
        writer.add_token_scores(scores)
        writer.add_add_space_prefix("Prepend" in json.dumps(data["normalizer"]))
    else:
        writer.add_token_merges([" ".join(merge_pair(merge)) for merge in model["merges"]])
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def check(probe, label, path, mode, texts, expected):
    found = tokenizer_probe.encode(probe, path, mode, texts)
    differing = [i for i, (ids, _) in enumerate(found) if ids != expected[i]]
    changed = sum(not comes_back for _, comes_back in found)
    print(f"{label}: {len(differing)} of {len(texts)} differ; {changed} not given back by decoding")
    for i in differing[:3]:
        print(f"  {ascii(texts[i])}\n    expected {expected[i]}\n    found    {found[i][0]}")
    return not differing


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--probe", required=True)
    parser.add_argument("--golden", required=True, type=pathlib.Path)
    parser.add_argument("--gguf-folder", type=pathlib.Path)
    parser.add_argument("tokenizers", nargs="+", metavar="NAME=FILE")
    arguments = parser.parse_args()

    rows = lines_of(arguments.golden / "texts.jsonl.gz")
    texts = [row["t"] for row in rows]
    good = True
    for pair in arguments.tokenizers:
        name, _, file = pair.partition("=")
        path = pathlib.Path(file)
        if name == "texts":
            matched = [row.get("s", row["i"]) for row in rows]
            good &= check(arguments.probe, f"{path.name}, plain", path, b"i", texts,
                          [row["i"] for row in rows])
            good &= check(arguments.probe, f"{path.name}, matched", path, b"m", texts, matched)
            continue
        expected = lines_of(arguments.golden / f"{name}.jsonl.gz")
        good &= check(arguments.probe, f"{name}, {path.name}", path, b"m", texts, expected)
        if arguments.gguf_folder and path.suffix == ".json":
            written = arguments.gguf_folder / f"{name}.gguf"
            write_gguf(name, path, written)
            good &= check(arguments.probe, f"{name}, GGUF", written, b"m", texts, expected)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
