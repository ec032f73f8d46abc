"""Writes codec/tile_input.npy and codec/tile_sha256.txt: a tile, and the digests of what codecs of
several rows make of it. They are computed here in NumPy's float32, operation for operation.

Printed beside: relative errors, and those of KVarN as its authors define it, in logarithms and in
units of 1 instead of half the tile's root mean square.
"""

import hashlib
import pathlib

import numpy as np
import torch

FOLDER = pathlib.Path(__file__).parent / "codec"
ROWS = 128
WIDTHS = (48, 41)  # whole runs and lanes, and what is left behind them
F32 = np.float32


def f16(x):
    return np.clip(x, -65504, 65504).astype(np.float16).astype(F32)


def tile():
    random = np.random.default_rng(1)
    rows = random.standard_normal((ROWS, max(WIDTHS)))
    rows[:, 5] *= 8
    rows[:, 7] += 6
    rows[0] *= 0.1
    rows[9:12] *= 3
    rows[:, 11] = 0
    rows[:, 12] = 2.5
    return rows.astype(F32)


# ---- where codes lie ----------------------------------------------------------------------------


def plane(codes, bits):
    """[rows, width] -> [rows, bytes]"""
    per_byte = 8 // bits
    run = 16 * per_byte
    width = codes.shape[1]
    whole = width // run * run if bits > 1 else 0
    shifts = bits * np.arange(per_byte)
    runs = codes[:, :whole].reshape(len(codes), -1, per_byte, 16)
    spread = (runs << shifts[:, None]).sum(axis=2).reshape(len(codes), -1)
    rest = np.pad(codes[:, whole:], ((0, 0), (0, -(width - whole) % per_byte)))
    rest = (rest.reshape(len(codes), -1, per_byte) << shifts).sum(axis=2)
    return np.concatenate([spread, rest], axis=1)


def packed(codes, bits):
    if bits == 3:
        return np.concatenate([plane(codes & 3, 2), plane(codes >> 2, 1)], axis=1)
    return plane(codes, bits)


def tiled(codes):
    """[lanes, depth] of four bits, as they are multiplied -> [bytes]"""
    lanes, depth = codes.shape
    parts = codes.reshape(lanes // 16, 16, depth // 8, 2, 4)
    return (parts[:, :, :, 0] | parts[:, :, :, 1] << 4).transpose(0, 2, 1, 3)


def to_bytes(codes, *arrays):
    """Codes, then half floats."""
    return codes.astype(np.uint8).tobytes() + b"".join(
        array.astype("<f2").tobytes() for array in arrays)


# ---- KVarN --------------------------------------------------------------------------------------


def lane_sum(values):
    """Over the last axis, in 16 lanes, then pairwise."""
    padded = np.pad(values, ((0, 0), (0, -values.shape[1] % 16)))
    lanes = np.zeros((len(values), 16), F32)
    for part in padded.reshape(len(values), -1, 16).transpose(1, 0, 2):
        lanes += part
    while lanes.shape[1] > 1:
        half = lanes.shape[1] // 2
        lanes = lanes[:, :half] + lanes[:, half:]
    return lanes[:, 0]


def one_by_one(values):
    """Over the first axis, in order."""
    total = np.zeros(values.shape[1:], F32)
    for value in values:
        total = total + value
    return total


def deviation(differences, add, count):
    total, squares = add(differences), add(differences * differences)
    variance = (squares - total * (total / F32(count))) / F32(count - 1)
    return np.sqrt(np.maximum(variance, F32(0)))


def step(factor, deviations, unit):
    change = np.clip(deviations / unit * (F32(1) / factor), F32(1e-3), F32(1e3))
    return np.clip(factor * change, F32(np.exp(-0.3)), F32(np.exp(10)))


def balanced(rows, is_keys):
    """Factors of the rows of keys, of the channels of values."""
    width = rows.shape[1]
    mean_square = one_by_one(lane_sum(rows * rows)[:, None])[0] / F32(ROWS * width)
    unit = np.clip(np.sqrt(mean_square) / F32(2), F32(2**-24), F32(65504))
    of_rows, of_channels = np.ones(ROWS, F32), np.ones(width, F32)
    for change in range(15):
        if (change % 2 == 0) == is_keys:
            t = rows * (F32(1) / of_channels)
            of_rows = step(of_rows, deviation(t - t[:, :1], lane_sum, width), unit)
        else:
            t = rows * (F32(1) / of_rows)[:, None]
            of_channels = step(of_channels, deviation(t - t[0], one_by_one, ROWS), unit)
    factor = of_rows[:, None] if is_keys else of_channels[None]
    return f16(np.maximum(factor * unit, F32(2**-24)))


def affine(values, axis, bits):
    low, high = values.min(axis, keepdims=True), values.max(axis, keepdims=True)
    scale, low = f16((high - low) / F32(2**bits - 1)), f16(low)
    codes = np.rint((values - low) / np.where(scale == 0, F32(1), scale))
    codes = np.clip(codes, 0, 2**bits - 1).astype(np.int64)
    return codes, scale, low, codes.astype(F32) * scale + low


def kvarn(rows, bits, is_keys):
    factor = balanced(rows, is_keys)
    codes, scale, low, values = affine(rows / factor, 0 if is_keys else 1, bits)
    lanes = codes if is_keys else codes.T
    is_tiled = bits == 4 and lanes.shape[0] % 16 == 0 and lanes.shape[1] % 8 == 0
    return to_bytes(tiled(lanes) if is_tiled else packed(codes, bits), scale, low,
                    factor), values * factor


def published_kvarn(rows, bits, is_keys):
    x = rows if is_keys else rows.T
    log_c, log_r = np.zeros((len(x), 1), F32), np.zeros((1, x.shape[1]), F32)

    def log_deviation(axis):
        t = x / np.exp(log_c) / np.exp(log_r)
        return np.log(np.clip(t.std(axis, ddof=1, keepdims=True), 1e-3, 1e3))

    for _ in range(8):
        log_c = np.clip(log_c + log_deviation(1), -0.3, 10)
        log_r = np.clip(log_r + log_deviation(0), -0.3, 10)
    values = affine(x / np.exp(log_c) / np.exp(log_r), 0, bits)[3] * np.exp(log_c) * np.exp(log_r)
    return values if is_keys else values.T


# ---- a scale of each channel --------------------------------------------------------------------


def int_channel(rows, bits):
    codes, scale, low, values = affine(rows[:32], 0, bits)
    return to_bytes(packed(codes, bits), scale, low), values


def byte_channel(rows, largest, code):
    scale = f16(np.abs(rows).max(0) / F32(largest))
    codes, values = code(rows / np.where(scale == 0, F32(1), scale))
    return to_bytes(codes, scale), values * scale


def int8(values):
    codes = np.clip(np.rint(values), -127, 127)
    return codes.astype(np.int8).view(np.uint8), codes


def e4m3(values):
    codes = torch.from_numpy(np.clip(values, -448, 448)).to(torch.float8_e4m3fn)
    return codes.view(torch.uint8).numpy(), codes.float().numpy()


def error(values, rows):
    return np.linalg.norm(values - rows[:len(values)]) / np.linalg.norm(rows[:len(values)])


def coded(rows):
    """(name, bytes, relative error, that of the authors' KVarN) of every codec."""
    for kind in ("keys", "values"):
        for bits in (4, 3, 2):
            data, values = kvarn(rows, bits, kind == "keys")
            published = published_kvarn(rows, bits, kind == "keys")
            yield f"kvarn{bits}-{kind}", data, error(values, rows), error(published, rows)
    for bits in (4, 3, 2):
        data, values = int_channel(rows, bits)
        yield f"int{bits}-channel", data, error(values, rows), None
    for name, largest, code in (("int8", 127, int8), ("e4m3", 448, e4m3)):
        data, values = byte_channel(rows, largest, code)
        yield f"{name}-channel", data, error(values, rows), None


def main():
    rows = tile()
    np.save(FOLDER / "tile_input.npy", rows)
    lines = []
    for width in WIDTHS:
        for name, data, own, published in coded(np.ascontiguousarray(rows[:, :width])):
            lines.append(f"{name} {width} {hashlib.sha256(data).hexdigest()}\n")
            print(name, width, len(data), f"{own:.5f}", published and f"{published:.5f}")
    (FOLDER / "tile_sha256.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
