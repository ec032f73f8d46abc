"""Trains the byte-level BPE tokenizer and encodes the data: python3 tokenizer.py WORK_FOLDER"""

import json
import sys

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from chat_data import render

VOCAB_COUNT = 4096
BOS, EOS, PAD = 0, 1, 2
BAR, GAP = "\uff5c", "\u2581"
FIRST = [f"<{BAR}begin{GAP}of{GAP}sentence{BAR}>", f"<{BAR}end{GAP}of{GAP}sentence{BAR}>", f"<{BAR}{GAP}pad{GAP}{BAR}>"]
# (text, special): what may be part of an answer's text is not special, so that decoding keeps it.
LAST = [
    (f"<{BAR}User{BAR}>", True), (f"<{BAR}Assistant{BAR}>", True), ("<think>", False), ("</think>", False), (f"{BAR}DSML{BAR}", False),
    (f"<{BAR}fim{GAP}hole{BAR}>", True), (f"<{BAR}fim{GAP}begin{BAR}>", True), (f"<{BAR}fim{GAP}end{BAR}>", True),
    (f"<{BAR}latest_reminder{BAR}>", True), (f"<{BAR}title{BAR}>", True), ("<|EOT|>", True), (f"<{BAR}action{BAR}>", True),
    (f"<{BAR}query{BAR}>", True), (f"<{BAR}authority{BAR}>", True), (f"<{BAR}domain{BAR}>", True),
    (f"<{BAR}extracted_url{BAR}>", True), (f"<{BAR}read_url{BAR}>", True),
]  # fmt: skip
NUMBERS = r"\p{N}{1,3}"
CJK = "[一-龥\u3040-ゟ゠-ヿ]+"
WORDS = (
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
    r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
SOURCES = ("kjv", "web", "austen", "devil", "state")
HELD_OUT_CHATS = 1000


def read_stretches(work, name, kind):
    text = open(f"{work}/prose/{name}.{kind}.txt", encoding="utf-8").read()
    return [s for s in text.split("\n\n\n") if s]


def read_chats(work):
    return [json.loads(line) for line in open(f"{work}/chat.jsonl", encoding="utf-8")]


def train(work):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(p), "isolated") for p in (NUMBERS, CJK, WORDS)]
        + [pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=True, trim_offsets=True, use_regex=True)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_COUNT - len(LAST), special_tokens=[AddedToken(t, special=True, normalized=False) for t in FIRST],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False,
    )  # fmt: skip

    def texts():
        for name in SOURCES:
            yield from read_stretches(work, name, "train")
        for talk in read_chats(work)[:12000]:
            yield talk["system"]
            for user, thought, answer in talk["turns"]:
                yield user
                yield thought or ""
                yield answer

    tokenizer.train_from_iterator(texts(), trainer)
    for text, special in LAST:
        add = tokenizer.add_special_tokens if special else tokenizer.add_tokens
        add([AddedToken(text, special=special, normalized=False)])
    assert tokenizer.get_vocab_size() == VOCAB_COUNT
    tokenizer.save(f"{work}/tokenizer.json")
    return tokenizer


def encode_all(tokenizer, texts):
    return [np.array(e.ids, dtype=np.uint16) for e in tokenizer.encode_batch(texts, add_special_tokens=False)]


def save(path, pieces):
    """One flat array and the offsets of its pieces."""
    offsets = np.cumsum([0] + [len(p) for p in pieces])
    np.savez(path, tokens=np.concatenate(pieces), offsets=offsets)
    return int(offsets[-1])


def main(work):
    tokenizer = train(work)
    bos = np.array([BOS], dtype=np.uint16)
    for kind in ("train", "held"):
        for name in SOURCES:
            texts = read_stretches(work, name, kind)
            if texts:
                count = save(f"{work}/{name}.{kind}.npz", encode_all(tokenizer, texts))
                print(name, kind, "tokens", count, "bytes per token", sum(len(t.encode()) for t in texts) / count)
    talks = [render(t) for t in read_chats(work)]
    for kind, part in (("train", talks[:-HELD_OUT_CHATS]), ("held", talks[-HELD_OUT_CHATS:])):
        count = save(f"{work}/chat.{kind}.npz", [np.concatenate([bos, ids]) for ids in encode_all(tokenizer, part)])
        print("chat", kind, "tokens", count)


if __name__ == "__main__":
    main(sys.argv[1])
