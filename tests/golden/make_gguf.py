"""Writes what the blocks in gguf/*_raw.npy decode to: gguf/*_f32.npy and gguf/sha256.txt.

They are decoded by the Python package `gguf`. What it does not decode keeps its files.
"""

import hashlib
import pathlib

import numpy as np
from gguf.constants import GGMLQuantizationType
from gguf.quants import dequantize

FOLDER = pathlib.Path(__file__).parent / "gguf"
SHOWN_ITEMS = 512


def decoded(name):
    data = np.load(FOLDER / f"{name}_raw.npy")
    return dequantize(data, GGMLQuantizationType[name.upper()]).astype(np.float32).reshape(-1)


def main():
    sums = dict(line.split() for line in (FOLDER / "sha256.txt").read_text().splitlines())
    for name in sums:
        try:
            values = decoded(name)
        except (KeyError, NotImplementedError):
            print(f"{name}: not decoded by this package, left as it is")
            continue
        np.save(FOLDER / f"{name}_f32.npy", np.stack([values[:SHOWN_ITEMS], values[-SHOWN_ITEMS:]]))
        sums[name] = hashlib.sha256(values.tobytes()).hexdigest()
    text = "".join(f"{name} {digest}\n" for name, digest in sums.items())
    (FOLDER / "sha256.txt").write_text(text)


if __name__ == "__main__":
    main()
