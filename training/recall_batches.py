"""Batches for the recall stages: conversations about strewn facts beside plain windows, and what stands in for a long past."""

import numpy as np
import torch

from batches import Batches
from model import Lesson, rope_table
from recall_data import Document, Prose, Task, span_rows

PROSE = ("kjv", "web", "austen")
GAP_TOKENS_MAX = 40_000
FIRST_QUERY = 64  # earlier tokens have too few rows to choose from


class RowBank:
    """The newest rows that the HCA layers pooled: drawn from, they stand for text before a document."""

    def __init__(self, config, row_count: int, visible_max: int):
        self.rows = torch.zeros(config.hca_layer_count(), row_count, config.head_dim)
        self.filled, self.visible_max = 0, visible_max
        self.table = rope_table(config, 128, torch.arange(visible_max) * 128, torch.float32)

    def add(self, pooled: list) -> None:
        """pooled: [B, J, d] of each HCA layer."""
        new = torch.stack([p.flatten(0, 1).float() for p in pooled])
        count = min(new.shape[1], self.rows.shape[1])
        self.rows = torch.cat([new[:, :count], self.rows[:, : self.rows.shape[1] - count]], 1)
        self.filled = min(self.filled + count, self.rows.shape[1])

    def draw(self, rng):
        """Rows [layers, visible_max, d], their rope table, and how many are seen: none in a quarter of the draws, else
        log-uniform or uniform."""
        visible = 0
        if 0 < self.visible_max < self.filled and rng.random() < 0.75:
            visible = int(np.exp(rng.uniform(0, np.log(self.visible_max + 1))))
            if rng.random() < 0.5:
                visible = int(rng.integers(0, self.visible_max + 1))
        picked = torch.from_numpy(rng.permutation(max(self.filled, self.visible_max))[: self.visible_max])
        return self.rows[:, picked], self.table, torch.tensor(visible)


class Batch:
    """inputs, targets, weights [rows, count]; kinds [rows, queries]: 0 absent, 1.. the form of the fact, -1 no question;
    lesson; positions [count]; plain_rows: how many rows are plain windows."""


class RecallBatches:
    def __init__(self, work: str, tokenizer, stage, bank: RowBank, seed: int):
        self.rng = np.random.default_rng(seed)
        self.stage, self.bank, self.seed, self.made = stage, bank, seed, 0
        self.task = Task(tokenizer)
        self.prose = Prose(tokenizer, [np.load(f"{work}/{n}.train.npz")["tokens"].astype(np.int64) for n in PROSE])
        self.plain = Batches(work, seed, tokenizer.encode("\n\n").ids[0], stage.plain_chat_share)

    def document(self):
        self.made += 1
        s = self.stage
        rng = np.random.default_rng((self.seed, self.made))
        prose_tokens = s.prose_tokens[rng.integers(len(s.prose_tokens))]
        return Document(self.task, self.prose, rng, s.tokens + 1, s.facts_max, prose_tokens, s.absent_share, s.update_share, s.long_run_share)

    def next(self) -> Batch:
        s, rng = self.stage, self.rng
        batch = Batch()
        batch.plain_rows = min(s.rows - 1, int(s.plain_share * s.rows + rng.random()))
        tokens = np.zeros((s.rows, s.tokens + 1), dtype=np.int64)
        weights = np.ones((s.rows, s.tokens), dtype=np.float32)
        at = rng.integers(FIRST_QUERY, s.tokens, size=(s.rows, s.queries))
        begin, end = np.zeros((2, s.rows, s.queries), dtype=np.int64)
        kinds = np.full((s.rows, s.queries), -1)
        for r in range(batch.plain_rows):
            inputs, targets = self.plain.next(1, s.tokens)
            tokens[r, :-1], tokens[r, -1] = inputs[0], targets[0, -1]
        for r in range(batch.plain_rows, s.rows):
            document = self.document()
            tokens[r], weights[r] = document.ids, document.weights[1:]
            probes = [p for p in document.probes if p[0] < s.tokens]
            skipped = int(rng.integers(0, max(0, len(probes) - s.queries) + 1))
            for k, (query, low, high, kind) in enumerate(probes[skipped : skipped + s.queries]):
                at[r, k], kinds[r, k] = query, kind
                if kind > 0:
                    row, last = span_rows(low, high)
                    begin[r, k], end[r, k] = row, min(last + 1, (query + 1) // 4)
        past_rows, past_table, past_visible = self.bank.draw(rng)
        tensors = [torch.from_numpy(x) for x in (tokens, weights, kinds, at, begin, end)]
        tokens, batch.weights, batch.kinds, at, begin, end = tensors
        batch.inputs, batch.targets = tokens[:, :-1], tokens[:, 1:]
        batch.lesson = Lesson(at, begin, end, s.sparse, past_rows, past_table, past_visible)
        batch.positions = self.positions() + past_visible * 128
        return batch

    def positions(self):
        """Token positions with up to three gaps, so that distances are learnt which no training document has. Half of the gaps
        are log-uniform in size, half uniform."""
        at = np.arange(self.stage.tokens)
        if self.rng.random() < self.stage.gap_share:
            for _ in range(int(self.rng.integers(1, 4))):
                size = int(np.exp(self.rng.uniform(np.log(128), np.log(GAP_TOKENS_MAX))))
                if self.rng.random() < 0.5:
                    size = int(self.rng.integers(128, GAP_TOKENS_MAX))
                at[int(self.rng.integers(0, self.stage.tokens // 128)) * 128 :] += size // 128 * 128
        return torch.from_numpy(at)
