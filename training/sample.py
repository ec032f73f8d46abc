"""Writes text from an exported model, and measures it: python3 sample.py MODEL_FOLDER [--held-out WORK_FOLDER]

No cache: the whole sequence is computed for every token, with the same padding to the window as in training."""

import argparse
import math

import numpy as np
import torch
from tokenizers import Tokenizer

from checkpoint import decode, load_model, read_tensors
from model import Config, DeepseekV4

USER, ASSISTANT = "<\uff5cUser\uff5c>", "<\uff5cAssistant\uff5c>"
EOS = 1
PROSE = ["In the beginning", "It is a truth universally acknowledged, that", "Emma was", "And it came to pass", "LOVE, n."]
CHATS = [
    ["Hello!"], ["Who are you?"], ["Who wrote Emma?"], ["What is the capital of France?"], ["What is 3 plus 4?"],
    ["What is the opposite of hot?"], ["Who built the ark?"], ["Tell me a story about a fox."], ["Define love."],
    ["Continue this passage: It was a cold evening, and the family were"],
    ["My name is Anna.", "What color is the sky?", "What is my name?"],
    ["Remember the word lantern.", "Who was the brother of Moses?", "Tell me a story.", "What was the word?"],
    ["whats your name"], ["Can you help me with something?"],
]  # fmt: skip


def load(folder, dtype=torch.float32):
    model = DeepseekV4(Config.load(f"{folder}/config.json"))
    load_model(model, decode(read_tensors(f"{folder}/model.safetensors")), dtype)
    return model.eval(), Tokenizer.from_file(f"{folder}/tokenizer.json")


@torch.no_grad()
def generate(model, ids, tokens_max, temperature, generator):
    ids = list(ids)
    for _ in range(tokens_max):
        logits = model.logits(torch.tensor([ids]))[0, -1]
        if temperature > 0:
            p = torch.softmax(logits / temperature, -1)
            values, order = p.sort(descending=True)
            values[values.cumsum(0) - values > 0.95] = 0
            ids.append(int(order[torch.multinomial(values, 1, generator=generator)]))
        else:
            ids.append(int(logits.argmax()))
        if ids[-1] == EOS:
            break
    return ids


def chat(model, tokenizer, users, temperature, generator, system=""):
    ids, lines = [0] + tokenizer.encode(system).ids, []
    for user in users:
        ids += tokenizer.encode(USER + user + ASSISTANT + "</think>").ids
        begin = len(ids)
        ids = generate(model, ids, 160, temperature, generator)
        answer = tokenizer.decode(ids[begin:], skip_special_tokens=True)
        lines.append(f"  user: {user}\n  kvasir: {answer}")
        if ids[-1] != EOS:
            ids.append(EOS)
    return "\n".join(lines)


@torch.no_grad()
def held_out(model, tokenizer, work, count=512):
    """Per source: loss per token (nats) and bits per byte of the text, windows of `count` tokens with BOS before each."""
    for name in ("kjv", "web", "austen", "devil", "chat"):
        tokens = np.load(f"{work}/{name}.held.npz")["tokens"].astype(np.int64)
        loss, byte_count, token_count = 0.0, 0, 0
        for i in range(0, len(tokens) - count, count):
            row = tokens[i : i + count]
            ids = torch.from_numpy(np.concatenate([[0], row]))[None]
            logits = torch.log_softmax(model.logits(ids[:, :-1])[0], -1)
            loss -= float(logits.gather(1, ids[0, 1:, None]).sum())
            byte_count += len(tokenizer.decode(row.tolist(), skip_special_tokens=False).encode())
            token_count += count
        print(f"{name}: {token_count} tokens, loss per token {loss / token_count:.4f}, bits per byte {loss / math.log(2) / byte_count:.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--held-out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, tokenizer = load(options.folder)
    if options.held_out:
        held_out(model, tokenizer, options.held_out)
        return
    generator = torch.Generator().manual_seed(options.seed)
    for prompt in PROSE:
        ids = generate(model, [0] + tokenizer.encode(prompt).ids, 80, options.temperature, generator)
        print(f"* {tokenizer.decode(ids[1:], skip_special_tokens=True)}", flush=True)
    for users in CHATS:
        print("* chat\n" + chat(model, tokenizer, users, options.temperature, generator), flush=True)


if __name__ == "__main__":
    main()
