"""Teaches a trained model to recall facts from far back: python3 train_recall.py WORK_FOLDER --stage NAME (see README.md)"""

import argparse
import os
import time
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

import train as language
from grow import widen_heads
from model import Config, DeepseekV4
from optimizer import Optimizer
from recall_batches import RecallBatches, RowBank

SEED = 7001
BANK_ROWS = 4096
KINDS = {"absent": (0, 0), "fact": (1, 2), "value-first": (3, 3), "update": (4, 5), "update-value-first": (6, 6)}
LONG_PAST_ROWS = 256


@dataclass
class Stage:
    start: str  # checkpoint in the work folder
    minutes: float
    rows: int
    tokens: int
    facts_max: int  # open at a time in one document
    prose_tokens: tuple  # mean run between facts, one of these in each document
    plain_share: float  # of the rows: ordinary prose and conversations
    absent_share: float  # of the questions
    update_share: float  # of the facts
    gap_share: float  # of the batches: gaps in the positions
    past_rows: int  # HCA rows of other text before a document, at most
    sparse: bool  # attention runs on the indexer's choice
    attention_share: float  # weight of the loss that draws attention to the rows with the answer
    warmup_steps: int
    rate_begin: float  # the rate moves evenly from one to the other
    rate_end: float
    widen_from: int = 0  # head dim of the start
    long_run_share: float = 0.0  # of the runs of prose: some hundred tokens long
    plain_chat_share: float = 0.4  # of the plain rows: conversations
    queries: int = 96
    index_share: float = 0.3


STAGES = {
    # Attention over all rows, while the indexer learns to follow it.
    "dense": Stage("run", 40, 4, 1024, 10, (8,), 0.25, 0.12, 0.12, 0.3, 0, False, 0.3, 60, 1.0, 1.0, widen_from=128),
    # Attention on the indexer's choice, twice the length, a past of up to 131,072 tokens in the HCA layers.
    "sparse": Stage("dense", 15, 3, 2048, 30, (12,), 0.25, 0.18, 0.18, 0.5, 1024, True, 0.15, 20, 1.0, 0.8),
    # Long runs of prose, after which a question is still a question.
    "settle": Stage("sparse", 17, 3, 2048, 24, (14,), 0.2, 0.2, 0.18, 0.5, 1024, True, 0.15, 20, 0.8, 0.45, long_run_share=0.06),
    # Most documents have gaps, so that a fact is as well found from far as from near.
    "far": Stage("settle", 6, 3, 2048, 24, (14,), 0.2, 0.2, 0.18, 0.85, 1024, True, 0.15, 20, 0.45, 0.4, long_run_share=0.06),
    # In two documents of three the facts stand alone in prose.
    "lonely": Stage("far", 26, 3, 2048, 24, (14, 60, 120), 0.15, 0.2, 0.2, 0.8, 1024, True, 0.15, 20, 0.4, 0.01, long_run_share=0.04),
    # Half of the rows are plain, then two of three, most of them conversations: small talk comes back.
    "polish": Stage(
        "lonely", 45, 3, 2048, 24, (14, 60, 120), 0.5, 0.2, 0.2, 0.6, 1024, True, 0.15, 20, 0.3, 0.01, long_run_share=0.04, plain_chat_share=0.65
    ),
    "talk": Stage(
        "polish", 25, 3, 2048, 24, (14, 60, 120), 0.67, 0.2, 0.2, 0.5, 1024, True, 0.15, 20, 0.25, 0.01, long_run_share=0.04, plain_chat_share=0.75
    ),
}


class Running:
    """Means that forget, by name."""

    def __init__(self):
        self.sums = {}

    def add(self, name, total, count):
        if count:
            a, b = self.sums.get(name, (0.0, 0.0))
            self.sums[name] = (a * 0.9 + float(total), b * 0.9 + count)

    def __str__(self):
        return " ".join(f"{k} {a / b:.3f}" for k, (a, b) in self.sums.items())


def load(work, stage, config):
    saved = torch.load(f"{work}/{stage.start}.pt", weights_only=True)
    if "minutes" not in saved:
        raise SystemExit(f"{stage.start} was stopped before its end; train it first")
    state = saved["model"]
    if stage.widen_from:
        state = widen_heads(state, config.num_attention_heads, stage.widen_from, config.head_dim, config.o_groups, SEED)
    model = DeepseekV4(config)
    model.load_state_dict(state)
    language.narrow_matrices(model)
    optimizer = Optimizer(model)
    if not stage.widen_from:
        optimizer.load(saved["optimizer"])
    return model, optimizer, saved["seen"]


def rate_at(stage, progress, step):
    warm = min(1.0, (step + 1) / stage.warmup_steps)
    return warm * (stage.rate_begin + (stage.rate_end - stage.rate_begin) * progress)


def losses_of(model, batch, stage, bank):
    """The loss to descend, and for the record: token losses and hits [rows, count], attention shares and index loss."""
    state, measured = model(
        batch.inputs, exact_top_k=False, iters=language.TRAIN_SINKHORN_ITERS, lesson=batch.lesson, positions=batch.positions
    )
    losses, right = language.cross_entropy_right(state.flatten(0, 1), model.head.weight, batch.targets.flatten())
    taught = [m for m in measured.values() if isinstance(m, tuple)]
    bank.add([m for m in measured.values() if not isinstance(m, tuple)])
    weighted = (losses * batch.weights.flatten()).sum() / batch.weights.sum()
    index_loss = sum(loss.mean() for loss, _ in taught)
    shares = [share for _, share in taught]
    stated = batch.kinds > 0
    attention_loss = sum(-(torch.log(s + 1e-5) * stated).sum() for s in shares) / stated.sum().clamp_min(1)
    loss = weighted + stage.index_share * index_loss + stage.attention_share * attention_loss
    shape = batch.inputs.shape
    return loss, losses.detach().unflatten(0, shape), right.unflatten(0, shape), shares, index_loss.detach()


@torch.no_grad()
def record(running, batch, losses, right, shares, index_loss):
    rows = torch.arange(batch.inputs.shape[0]).unsqueeze(1)
    ok = right[rows, batch.lesson.queries]
    for name, (low, high) in KINDS.items():
        mask = (batch.kinds >= low) & (batch.kinds <= high)
        running.add(name, ok[mask].sum(), int(mask.sum()))
    asked = batch.kinds >= 0
    if int(batch.lesson.past_visible) > LONG_PAST_ROWS:
        running.add("long-past", ok[asked].sum(), int(asked.sum()))
    distance = batch.positions[batch.lesson.queries] - batch.positions[(batch.lesson.row_end * 4 - 1).clamp(0)]
    for name, low, high in (("near", 128, 4096), ("far", 4096, 24_000), ("farthest", 24_000, 1 << 40)):
        mask = (batch.kinds > 0) & (distance > low) & (distance <= high)
        running.add(name, ok[mask].sum(), int(mask.sum()))
    for i, share in enumerate(shares):
        running.add(f"attention{i}", share[batch.kinds > 0].sum(), int((batch.kinds > 0).sum()))
    plain = losses[: batch.plain_rows]
    running.add("plain", plain.sum(), plain.numel())
    running.add("index", index_loss, 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--config", default=os.path.join(os.path.dirname(__file__), "config.json"))
    parser.add_argument("--minutes", type=float, help="instead of the stage's own")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)
    work, stage = options.work, STAGES[options.stage]
    minutes = options.minutes or stage.minutes
    config = Config.load(options.config)
    model, optimizer, seen = load(work, stage, config)
    bank = RowBank(config, BANK_ROWS, stage.past_rows)
    batches = RecallBatches(work, Tokenizer.from_file(f"{work}/tokenizer.json"), stage, bank, SEED + seen)
    if options.compile:
        language.compile_parts()
    model.train()
    running, step, start, mark, last_save = Running(), 0, time.time(), time.time(), time.time()
    while (progress := (time.time() - start) / 60 / minutes) < 1:
        batch = batches.next()
        loss, *measured = losses_of(model, batch, stage, bank)
        loss.backward()
        language.balance(model)
        optimizer.step(rate_at(stage, progress, step))
        seen += batch.inputs.numel()
        step += 1
        record(running, batch, *measured)
        if step % 10 == 0:
            speed, mark = batch.inputs.numel() * 10 / (time.time() - mark), time.time()
            print(f"step {step} min {progress * minutes:.1f} seen {seen} loss {loss.item():.3f} {running} tok/s {speed:.0f}", flush=True)
        if time.time() - last_save > 180:
            language.save(f"{work}/{options.stage}.pt", model, optimizer, step=step, seen=seen)
            last_save = time.time()
    language.save(f"{work}/{options.stage}.pt", model, optimizer, step=step, seen=seen, minutes=(time.time() - start) / 60)


if __name__ == "__main__":
    main()
