"""Seeded training windows: prose from random places, and densely packed conversations."""

import numpy as np
import torch

PROSE_SHARES = {"kjv": 0.26, "web": 0.28, "austen": 0.38, "devil": 0.07, "state": 0.01}
BOS = 0
ALIGN_TOKENS = 160  # a window starts at a paragraph when one begins this close


class Batches:
    def __init__(self, work: str, seed: int, paragraph_token: int, chat_share: float):
        self.rng = np.random.default_rng(seed)
        self.paragraph_token, self.chat_share = paragraph_token, chat_share
        self.prose = {name: np.load(f"{work}/{name}.train.npz")["tokens"].astype(np.int64) for name in PROSE_SHARES}
        chat = np.load(f"{work}/chat.train.npz")
        self.chat, self.chat_offsets = chat["tokens"].astype(np.int64), chat["offsets"]
        self.chat_order, self.chat_next = self.rng.permutation(len(self.chat_offsets) - 1), 0

    def prose_window(self, count):
        name = self.rng.choice(list(PROSE_SHARES), p=list(PROSE_SHARES.values()))
        tokens = self.prose[name]
        start = int(self.rng.integers(0, len(tokens) - count - ALIGN_TOKENS))
        breaks = np.flatnonzero(tokens[start : start + ALIGN_TOKENS] == self.paragraph_token)
        start += int(breaks[0]) + 1 if len(breaks) else 0
        return np.concatenate([[BOS], tokens[start : start + count - 1]])

    def chat_window(self, count):
        parts, size = [], 0
        while size < count:
            if self.chat_next == len(self.chat_order):
                self.chat_order, self.chat_next = self.rng.permutation(len(self.chat_offsets) - 1), 0
            i = self.chat_order[self.chat_next]
            self.chat_next += 1
            parts.append(self.chat[self.chat_offsets[i] : self.chat_offsets[i + 1]])
            size += len(parts[-1])
        return np.concatenate(parts)[:count]

    def next(self, rows: int, count: int):
        """Inputs and targets, [rows, count] each; the number of chat rows is spread evenly over the batches."""
        chat_rows = int(rows * self.chat_share + self.rng.random())
        windows = [self.chat_window(count + 1) if i < chat_rows else self.prose_window(count + 1) for i in range(rows)]
        tokens = torch.from_numpy(np.stack(windows))
        return tokens[:, :-1], tokens[:, 1:]
