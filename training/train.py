"""Trains the bundled model: python3 train.py WORK_FOLDER --steps N [--minutes M] (see README.md)

The schedule follows steps; if the minutes run out first it follows the clock, so that a run always ends with a cooled model."""

import argparse
import math
import os
import time

import numpy as np
import torch
from tokenizers import Tokenizer

import checkpoint as checkpoint_code
import model as model_code
from batches import Batches
from model import Config, DeepseekV4, Lesson, linear
from optimizer import Optimizer

SEED = 1234
WARMUP_STEPS = 60
BIAS_RATE = 0.002
INDEX_LOSS_SHARE = 0.1
INDEX_QUERIES = 96  # of each row, where the indexer is taught
TRAIN_SINKHORN_ITERS = 8
HELD_OUT = ("kjv", "web", "austen", "devil", "chat")


def initialise(model, work):
    c = model.config
    generator = torch.Generator().manual_seed(SEED)
    for name, p in model.named_parameters():
        if p.dim() >= 2 and not name.endswith(".ape"):
            std = 0.5 / math.sqrt(p.shape[-1])
            if "embed." in name:
                std = 1.0
            elif name.startswith("head."):
                std = 0.2 / math.sqrt(p.shape[-1])
            elif name.endswith(("w2", "wo_b.weight")):
                std *= 0.3
            p.data.normal_(0, std, generator=generator)
    h = c.hc_mult
    for i, block in enumerate(model.layers):
        for name in ("hc_attn", "hc_ffn"):
            base = getattr(block, name + "_base").data
            base[:h] = -1.0
            base[i % h] = 1.0
            base[2 * h :] = (4.0 * torch.eye(h)).flatten()
            getattr(block, name + "_scale").data.fill_(0.1)
    model.hc_head_scale.data.fill_(0.1)
    counts = np.bincount(np.concatenate([np.load(f"{work}/{n}.train.npz")["tokens"] for n in ("kjv", "web", "austen", "chat")]), minlength=c.vocab_size)
    for layer, block in enumerate(model.layers):
        if block.ffn.hashed:
            block.ffn.gate.tid2eid.copy_(hash_table(counts, c, SEED + layer))


def hash_table(counts, config, seed):
    """Each token's experts: frequent tokens first, to the least loaded experts, ties by chance."""
    rng = np.random.default_rng(seed)
    load = np.zeros(config.n_routed_experts)
    table = np.zeros((config.vocab_size, config.num_experts_per_tok), dtype=np.int64)
    for token in np.argsort(-counts, kind="stable"):
        order = np.lexsort((rng.random(len(load)), load))
        table[token] = order[: config.num_experts_per_tok]
        load[table[token]] += counts[token] + 1
    return torch.from_numpy(table)


def build(config, work):
    model = DeepseekV4(config)
    initialise(model, work)
    narrow_matrices(model)
    return model


def narrow_matrices(model):
    """Products run in BF16; vectors and biases stay float32."""
    for name, p in model.named_parameters():
        if p.dim() >= 2 and not name.endswith(".ape"):
            p.data = p.data.to(torch.bfloat16)


def token_losses(model, inputs, targets, lesson=None, **options):
    """Losses [rows * tokens] and the indexer's."""
    state, measured = model(inputs, exact_top_k=False, lesson=lesson, **options)
    losses, _ = cross_entropy_right(state.flatten(0, 1), model.head.weight, targets.flatten())
    return losses, sum(m[0].mean() for m in measured.values() if isinstance(m, tuple))


def cross_entropy_right(state, head, targets):
    """state [N, D] -> losses [N], whether the target is the likeliest [N]"""
    logits = linear(state, head).float()
    own = logits.gather(1, targets.unsqueeze(1)).squeeze(1)
    return torch.logsumexp(logits, -1) - own, own >= logits.detach().amax(-1)


def compile_parts():
    """The routed experts stay as they are: their shapes change with every batch."""
    global cross_entropy_right
    torch._dynamo.config.cache_size_limit = 64
    cross_entropy_right = torch.compile(cross_entropy_right, dynamic=False)
    model_code.hyper_before = torch.compile(model_code.hyper_before, dynamic=False)
    model_code.hyper_merge = torch.compile(model_code.hyper_merge, dynamic=False)
    model_code.swiglu = torch.compile(model_code.swiglu, dynamic=False)
    model_code.Attention.forward = torch.compile(model_code.Attention.forward, dynamic=False)
    # Not weight_fp8: its compiled form is wrong where a tile is cut off at the edge.
    checkpoint_code.weight_fp4 = torch.compile(checkpoint_code.weight_fp4, dynamic=False)


def balance(model):
    """Loss-free balancing: a scored layer's bias leans towards the experts that got less than their share."""
    worst = 0.0
    for block in model.layers:
        load = block.ffn.load.float()
        worst = max(worst, float(load.max() / load.mean()))
        if not block.ffn.hashed:
            block.ffn.gate.bias += BIAS_RATE * torch.sign(load.mean() - load)
    return worst


def held_out_windows(work, count, rows_max):
    windows = {}
    for name in HELD_OUT:
        tokens = np.load(f"{work}/{name}.held.npz")["tokens"].astype(np.int64)
        if name != "chat":  # chat pieces carry their own BOS
            rows = [np.concatenate([[0], tokens[i : i + count]]) for i in range(0, len(tokens) - count, count)]
        else:
            rows = [tokens[i : i + count + 1] for i in range(0, len(tokens) - count - 1, count)]
        windows[name] = torch.from_numpy(np.stack(rows[:rows_max]))
    return windows


@torch.no_grad()
def evaluate(model, windows):
    model.eval()
    losses = {}
    with torch.compiler.set_stance("force_eager"):
        for name, tokens in windows.items():
            parts = [token_losses(model, t[:, :-1], t[:, 1:])[0] for t in tokens.split(4)]
            losses[name] = float(torch.cat(parts).mean())
    model.train()
    return losses


def schedule(progress, step, plateau):
    warm = min(1.0, (step + 1) / WARMUP_STEPS)
    return warm * (1.0 if progress < plateau else max(0.02, (1 - progress) / (1 - plateau)))


def save(path, model, optimizer, **more):
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state(), **more}, path + ".part")
    os.replace(path + ".part", path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("--config", default=os.path.join(os.path.dirname(__file__), "config.json"))
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--long-share", type=float, default=0.0, help="last share of the run with windows twice as long")
    parser.add_argument("--plateau", type=float, default=0.35)
    parser.add_argument("--chat-share", type=float, default=0.27)
    parser.add_argument("--rate-scale", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--stop-after", type=int, default=0, help="stop early, for speed tests")
    parser.add_argument("--name", default="run")
    parser.add_argument("--resume", help="checkpoint in the work folder to go on from, with a schedule of its own")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)
    work = options.work
    tokenizer = Tokenizer.from_file(f"{work}/tokenizer.json")
    model = build(Config.load(options.config), work)
    optimizer = Optimizer(model)
    optimizer.rate_scale = options.rate_scale
    seen = 0
    if options.resume:
        saved = torch.load(f"{work}/{options.resume}.pt", weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load(saved["optimizer"])
        seen = saved["seen"]
    batches = Batches(work, SEED + seen, tokenizer.encode("\n\n").ids[0], options.chat_share)
    windows = held_out_windows(work, options.tokens, 8)
    count = sum(p.numel() for p in model.parameters())
    print(f"parameters {count}", flush=True)
    if options.compile:
        compile_parts()
    model.train()
    begin, mean, last_save, mark = time.time(), None, time.time(), time.time()
    step = 0
    while step < options.steps:
        elapsed = time.time() - begin
        progress = max(step / options.steps, elapsed / 60 / options.minutes)
        if progress >= 1 or (options.stop_after and step >= options.stop_after):
            break
        long = progress >= 1 - options.long_share
        rows, tokens = (options.rows // 2, options.tokens * 2) if long else (options.rows, options.tokens)
        inputs, targets = batches.next(rows, tokens)
        lesson = Lesson.anywhere(model.config, rows, tokens, INDEX_QUERIES)
        losses, index_loss = token_losses(model, inputs, targets, lesson, iters=TRAIN_SINKHORN_ITERS)
        loss = losses.mean()
        (loss + INDEX_LOSS_SHARE * index_loss).backward()
        worst = balance(model)
        optimizer.step(schedule(progress, step, options.plateau))
        seen += inputs.numel()
        mean = loss.item() if mean is None else mean + (loss.item() - mean) * max(0.02, 1 / (step + 1))
        if step % 20 == 0:
            speed = inputs.numel() * (20 if step else 1) / (time.time() - mark)
            mark = time.time()
            print(f"step {step} min {elapsed / 60:.1f} seen {seen} loss {loss.item():.3f} mean {mean:.3f} "
                  f"index {index_loss.item():.3f} worst load {worst:.2f} tok/s {speed:.0f}", flush=True)  # fmt: skip
        if step % 500 == 499:
            held = evaluate(model, windows)
            print("held-out", " ".join(f"{k} {v:.3f}" for k, v in held.items()), flush=True)
        step += 1
        if time.time() - last_save > 180:
            save(f"{work}/{options.name}.pt", model, optimizer, step=step, seen=seen)
            last_save = time.time()
    minutes = (time.time() - begin) / 60
    save(f"{work}/{options.name}.pt", model, optimizer, step=step, seen=seen, minutes=minutes, done=not options.stop_after)
    print(f"done: {step} steps, {seen} tokens, {minutes:.1f} minutes", "held-out", evaluate(model, windows), flush=True)


if __name__ == "__main__":
    main()
