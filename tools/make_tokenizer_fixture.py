#!/usr/bin/env python3
"""Writes the tokenizer fixture of the unit tests with Hugging Face `tokenizers`.

  tests/data/tokenizer/tokenizer.json    a small BPE, pre-tokenizer and markers as in DeepSeek-V4's
  tests/data/tokenizer/reference.jsonl   [text, ids with added tokens matched, ids as plain text];
                                         the last is left out where the two are the same
"""

import json
import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import tokenizer_samples

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests/data/tokenizer"
TRAINING_TEXT = FOLDER / "training_text.txt"
TOKENIZER = FOLDER / "tokenizer.json"
REFERENCE = FOLDER / "reference.jsonl"

VOCAB_SIZE = 2000
REFERENCE_COUNT = 4000
REFERENCE_SEED = 20
PARTS_MAX = 8

NUMBERS = r"\p{N}{1,3}"
CJK = "[一-龥぀-ゟ゠-ヿ]+"
WORDS = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
         r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")

BASE_SPECIAL = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"]
SPECIAL = ["<｜User｜>", "<｜Assistant｜>", "<|EOT|>"]
# Matched in a second round: their "normalized" flag is set.
SECOND_ROUND = ["<think>", "</think>", "<｜place▁holder▁no▁1｜>", "<｜place▁holder▁no▁1｜>7",
                "<｜DSML｜call", "日本"]
FIRST_ROUND = ["｜DSML｜", "<tool", "<tool_result>", "  \n"]


def build():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(NUMBERS), "isolated"),
        pre_tokenizers.Split(Regex(CJK), "isolated"),
        pre_tokenizers.Split(Regex(WORDS), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCAB_SIZE, min_frequency=1, show_progress=False,
                                  special_tokens=BASE_SPECIAL,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train([str(TRAINING_TEXT)], trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    tokenizer.add_tokens([AddedToken(t, normalized=True) for t in SECOND_ROUND])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in FIRST_ROUND])
    return tokenizer


def main():
    tokenizer = build()
    data = json.loads(tokenizer.to_str())
    TOKENIZER.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n",
                         encoding="utf-8")
    data["added_tokens"] = []
    plain = Tokenizer.from_str(json.dumps(data))
    added = BASE_SPECIAL + SPECIAL + SECOND_ROUND + FIRST_ROUND
    with REFERENCE.open("w", encoding="ascii") as out:
        texts = tokenizer_samples.samples(REFERENCE_COUNT, REFERENCE_SEED, added, PARTS_MAX)
        for text in texts:
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            plain_ids = plain.encode(text, add_special_tokens=False).ids
            row = [text, ids] if ids == plain_ids else [text, ids, plain_ids]
            out.write(json.dumps(row, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
