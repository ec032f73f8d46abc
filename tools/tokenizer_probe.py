"""Talks to tests/tokenizer_probe. Shared by the tools that check tokenizers."""

import struct
import subprocess
import sys


def encode(probe, path, mode, texts):
    """For each text its ids, and whether decoding gave the text back.

    mode: b"m" matches added tokens, b"i" takes them as text.
    """
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
        ids = list(struct.unpack_from(f"<{count}i", run.stdout, offset + 4))
        offset += 4 + 4 * count
        results.append((ids, run.stdout[offset] == 1))
        offset += 1
    if len(results) != len(texts):
        sys.exit(f"{len(results)} answers to {len(texts)} strings")
    return results
