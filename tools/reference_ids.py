#!/usr/bin/env python3
"""Writes the token ids on which docs/precision.md compares cache precisions.

    tools/reference_texts.sh FOLDER
    tools/reference_ids.py SmolLM2-135M-Instruct.Q4_1.gguf FOLDER      (needs gguf, tokenizers)

policy.ids, bible.ids and faq.ids are the first 4,096 tokens of these texts under the model's vocabulary, cut
by GPT-2's pattern alone. The model's own tokenizer, and with it `kvasir eval codecs --text`, takes
digits apart first, which cuts blank lines before a digit otherwise: other tokens of the first text.
"""
import hashlib
import pathlib
import struct
import sys

from gguf import GGUFReader
from tokenizers import Tokenizer, models, pre_tokenizers

COUNT = 4096
# The first 16 digits of the SHA-256 of the ids as int32.
DIGESTS = {"policy": "097c714b84e7759d", "bible": "23d778300b55866e", "faq": "c4ecb260a715b265"}
TEXT_MAX = 100_000  # characters: more than so many tokens


def tokenizer_of(path):
    fields = GGUFReader(path).fields

    def texts(name):
        field = fields[f"tokenizer.ggml.{name}"]
        return [bytes(field.parts[i]).decode() for i in field.data]

    vocab = {token: i for i, token in enumerate(texts("tokens"))}
    merges = [tuple(merge.split(" ")) for merge in texts("merges")]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: tools/reference_ids.py MODEL.gguf FOLDER")
    tokenizer = tokenizer_of(sys.argv[1])
    for name, digest in DIGESTS.items():
        place = pathlib.Path(sys.argv[2], name)
        text = place.with_suffix(".txt").read_text(encoding="utf-8")[:TEXT_MAX]
        ids = tokenizer.encode(text).ids[:COUNT]
        found = hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).hexdigest()[:16]
        if found != digest:
            sys.exit(f"reference_ids.py: {name}: other tokens, expected {digest}, found {found}")
        place.with_suffix(".ids").write_text(" ".join(map(str, ids)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
