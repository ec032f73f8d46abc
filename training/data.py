"""Gets the public-domain texts out of their Debian packages and writes clean prose: python3 data.py WORK_FOLDER

Needs the packages bible-kjv, bible-kjv-text, sword-text-web, r-cran-janeaustenr, dict-devil and miscfiles, either installed or
unpacked below WORK_FOLDER/packages (build_model.sh does that). Paragraphs are separated by a blank line.
Every 40th stretch of paragraphs (about 8,000 characters each) is held out."""

import gzip
import os
import re
import struct
import subprocess
import sys
import zlib

STRETCH_CHARS = 8000
HELD_OUT_EVERY = 40

KJV_NAMES = (
    "Genesis Exodus Leviticus Numbers Deuteronomy Joshua Judges Ruth 1_Samuel 2_Samuel 1_Kings 2_Kings 1_Chronicles "
    "2_Chronicles Ezra Nehemiah Esther Job Psalms Proverbs Ecclesiastes Song_of_Solomon Isaiah Jeremiah Lamentations Ezekiel "
    "Daniel Hosea Joel Amos Obadiah Jonah Micah Nahum Habakkuk Zephaniah Haggai Zechariah Malachi Matthew Mark Luke John Acts "
    "Romans 1_Corinthians 2_Corinthians Galatians Ephesians Philippians Colossians 1_Thessalonians 2_Thessalonians 1_Timothy "
    "2_Timothy Titus Philemon Hebrews James 1_Peter 2_Peter 1_John 2_John 3_John Jude Revelation"
).split()


def locate(work: str, path: str) -> str:
    unpacked = os.path.join(work, "packages", path)
    return unpacked if os.path.exists(unpacked) else "/" + path


def plain(text: str) -> str:
    for old, new in (("\u2018", "'"), ("\u2019", "'"), ("\u201c", '"'), ("\u201d", '"'), ("\u2014", "--"), ("\u2013", "-"), ("\u00a0", " "), ("_", "")):
        text = text.replace(old, new)
    return text


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def king_james(work: str) -> list[str]:
    program, text = locate(work, "usr/bin/bible"), locate(work, "usr/lib/bible.data")
    command = [program, "-f", "-p", os.path.dirname(text), "gen1:1-rev22:21"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    paragraphs, book, chapter, verses, names = [], None, None, [], iter(KJV_NAMES)

    def flush():
        for i in range(0, len(verses), 5):
            paragraphs.append(" ".join(verses[i : i + 5]))
        verses.clear()

    for line in lines:
        match = re.match(r"(\d?[A-Za-z]+?)(\d+):(\d+) (.*)", line)
        if not match:
            continue
        if match[1] != book:
            name = next(names).replace("_", " ")
        if (match[1], match[2]) != (book, chapter):
            flush()
            book, chapter = match[1], match[2]
            paragraphs.append(f"{name}, chapter {chapter}")
        verses.append(one_line(re.sub(r"[\[\]<>]", "", match[4])))
    flush()
    return paragraphs


def web_bible(work: str) -> list[str]:
    folder = locate(work, "usr/share/sword/modules/texts/ztext/engWEB2015eb")
    paragraphs = []
    for part in ("ot", "nt"):
        index = open(f"{folder}/{part}.bzs", "rb").read()
        data = open(f"{folder}/{part}.bzz", "rb").read()
        for offset, packed_bytes, _ in struct.iter_unpack("<III", index):
            if packed_bytes == 0:
                continue
            text = zlib.decompress(data[offset : offset + packed_bytes]).decode("utf-8", "replace")
            text = re.sub(r"<note.*?</note>", "", text, flags=re.S)
            text = re.sub(r"<title.*?</title>", "\n\n", text, flags=re.S)
            text = re.sub(r'<div [^>]*type="x-p"[^>]*>|<chapter[^>]*>|<lb[^>]*>', "\n\n", text)
            text = re.sub(r"<l [^>]*sID[^>]*>", " ", text)
            text = plain(re.sub(r"<[^>]*>", "", text))
            text = text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
            paragraphs += [p for p in (one_line(x) for x in text.split("\n\n")) if re.search("[a-z]{3}", p)]
    return paragraphs


def r_strings(data: bytes):
    """The strings of an R character vector, in XDR serialisation."""
    version = struct.unpack(">i", data[2:6])[0]
    at = 14
    if version == 3:
        at += 4 + struct.unpack(">i", data[14:18])[0]
    flags, count = struct.unpack(">ii", data[at : at + 8])
    if flags & 255 != 16:
        raise ValueError(f"expected a character vector, found type {flags & 255}")
    at += 8
    for _ in range(count):
        size_bytes = struct.unpack(">i", data[at + 4 : at + 8])[0]
        at += 8
        yield data[at : at + max(size_bytes, 0)].decode("utf-8", "replace")
        at += max(size_bytes, 0)


def austen(work: str) -> list[str]:
    data = open(locate(work, "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"), "rb").read()
    paragraphs = []
    while len(data) > 4:
        stream = zlib.decompressobj()
        book = stream.decompress(data[4:]) + stream.flush()
        data = stream.unused_data
        text = plain("\n".join(r_strings(book)))
        paragraphs += [p for p in (one_line(x) for x in re.split(r"\n\s*\n", text)) if p]
    return paragraphs


def devil(work: str) -> list[str]:
    text = gzip.open(locate(work, "usr/share/dictd/devil.dict.dz")).read().decode("latin-1")
    text = plain(text[text.index("PREFACE") :])
    return [p for p in (one_line(x) for x in re.split(r"\n\s*\n|\n(?=    \S)", text)) if len(p) > 12]


def state_papers(work: str) -> list[str]:
    paragraphs = []
    for name in ("us-declaration", "us-constitution"):
        text = plain(gzip.open(locate(work, f"usr/share/state/{name}.gz")).read().decode("latin-1"))
        paragraphs += [p for p in (one_line(x) for x in re.split(r"\n\s*\n", text)) if len(p) > 12]
    return paragraphs


SOURCES = {"kjv": king_james, "web": web_bible, "austen": austen, "devil": devil, "state": state_papers}


def split(paragraphs: list[str]) -> tuple[list[str], list[str]]:
    """Train and held-out stretches."""
    stretches, current, size = [], [], 0
    for p in paragraphs:
        current.append(p)
        size += len(p)
        if size >= STRETCH_CHARS:
            stretches.append("\n\n".join(current))
            current, size = [], 0
    if current:
        stretches.append("\n\n".join(current))
    held = [s for i, s in enumerate(stretches) if i % HELD_OUT_EVERY == HELD_OUT_EVERY // 2]
    return [s for i, s in enumerate(stretches) if i % HELD_OUT_EVERY != HELD_OUT_EVERY // 2], held


def main(work: str) -> None:
    os.makedirs(f"{work}/prose", exist_ok=True)
    for name, read in SOURCES.items():
        train, held = split(read(work))
        for kind, stretches in (("train", train), ("held", held)):
            with open(f"{work}/prose/{name}.{kind}.txt", "w", encoding="utf-8") as f:
                f.write("\n\n\n".join(stretches))
        print(name, "train bytes", sum(len(s.encode()) for s in train), "held-out bytes", sum(len(s.encode()) for s in held))


if __name__ == "__main__":
    main(sys.argv[1])
