#!/usr/bin/env python3
"""Writes tests/golden/codec/blocks_*.npy: rows, and the GGUF blocks that others make of them.

The Python package `gguf` quantises all types but IQ4_NL, which ggml itself does.

  tools/codec_blocks.py                         write the files, but for IQ4_NL's
  tools/codec_blocks.py --ggml libggml-base.so  write it too
"""

import argparse
import ctypes
import pathlib

import numpy as np
from gguf.constants import GGMLQuantizationType
from gguf.quants import quantize

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/codec"
WIDTH = 80  # two blocks and a half
BLOCK = 32
TYPES = ("Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0")


def rows_without_ties(random):
    normal = random.standard_normal((10, WIDTH))
    rows = [*normal[:4], normal[4] * 1e-4, normal[5] * 1e4, normal[6] + 20, normal[7] * 1e-7]
    rows.append(np.clip(normal[8] * 60000, -60000, 60000))
    rows.append(np.where(np.arange(WIDTH) < BLOCK, 0, normal[9]))  # a block of zeros
    rows += [np.zeros(WIDTH), np.full(WIDTH, 3.3), np.full(WIDTH, -60000.0)]
    spike = np.zeros(WIDTH)
    spike[[5, 70]] = -7, 60000
    rows.append(spike)
    rows.append(np.abs(normal[0]))
    return rows


def rows_of_ties(random):
    """With the block's ends the steps are powers of two, and values lie half-way between codes."""
    rows = []
    for low, high in [(-127, 127), (-16, 15), (-8, 7), (0, 31), (0, 15)]:
        for step in (1, 0.25):
            row = random.integers(2 * low, 2 * high + 1, WIDTH) / 2
            row[::BLOCK] = low
            row[1::BLOCK] = high
            rows.append(row * step)
    return rows


def padded(rows):
    blocks = -(-WIDTH // BLOCK)
    return np.pad(rows, ((0, 0), (0, blocks * BLOCK - WIDTH)))


def iq4_nl(library_path, rows):
    """The blocks of padded rows, as ggml's plain quantiser makes them."""
    encode = ctypes.CDLL(library_path).quantize_row_iq4_nl_ref
    encode.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    encode.restype = None
    rows = np.ascontiguousarray(rows)
    out = np.zeros((len(rows), rows.shape[1] // BLOCK * 18), np.uint8)
    encode(rows.ctypes.data, out.ctypes.data, rows.size)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ggml", help="libggml-base.so, for IQ4_NL")
    options = parser.parse_args()
    random = np.random.default_rng(1)
    plain = np.array(rows_without_ties(random), np.float32)
    rows = np.concatenate([plain, np.array(rows_of_ties(random), np.float32)])
    np.save(FOLDER / "blocks_input.npy", rows)
    for name in TYPES:
        blocks = quantize(padded(rows), GGMLQuantizationType[name])
        np.save(FOLDER / f"blocks_{name.lower()}.npy", blocks)
    if options.ggml:
        np.save(FOLDER / "blocks_iq4_nl.npy", iq4_nl(options.ggml, padded(plain)))


if __name__ == "__main__":
    main()
