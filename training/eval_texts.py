"""Writes the texts that the engine evaluates with, from the prepared prose: python3 eval_texts.py WORK_FOLDER DATA_FOLDER

held_out.txt: all held-out stretches, of about 2,000 tokens each. book.txt: the first half of a novel (it is in the training text; what is planted in it is
not)."""

import re
import sys
import zlib

from data import locate, one_line, plain, r_strings

BOOK, BOOK_END = "PERSUASION", "\n\nChapter 13\n"
HELD_OUT = ("austen", "kjv", "web", "devil")


def book(work: str) -> str:
    data = open(locate(work, "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"), "rb").read()
    while len(data) > 4:
        stream = zlib.decompressobj()
        text = plain("\n".join(r_strings(stream.decompress(data[4:]) + stream.flush())))
        data = stream.unused_data
        if text.lstrip().upper().startswith(BOOK):
            whole = "\n\n".join(p for p in (one_line(x) for x in re.split(r"\n\s*\n", text)) if p)
            return whole[: whole.index(BOOK_END)]
    raise SystemExit(f"{BOOK} not found")


def main(work: str, data: str) -> None:
    held = []  # (place within its source, stretch): the sources are mixed evenly, so that a part stands for the whole
    for name in HELD_OUT:
        with open(f"{work}/prose/{name}.held.txt", encoding="utf-8") as f:
            stretches = [s.strip() for s in f.read().split("\n\n\n") if s.strip()]
        held += [((i + 0.5) / len(stretches), s) for i, s in enumerate(stretches)]
    held = [s for _, s in sorted(held, key=lambda pair: pair[0])]
    for name, text in (("held_out.txt", "\n\n".join(held)), ("book.txt", book(work))):
        with open(f"{data}/{name}", "w", encoding="utf-8") as f:
            f.write(text + "\n")
        print(name, len(text.encode()), "bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
