"""Runs `kvasir logits` for the comparisons with other implementations."""

import subprocess

import numpy as np


def run_kvasir(arguments, model, tokens, folder, chunk, kv="f32", compute="f32"):
    """Kvasir's logits, or its error message."""
    token_path, out_path = folder / "tokens.txt", folder / "logits.npy"
    token_path.write_text(" ".join(map(str, tokens.tolist())), encoding="utf-8")
    command = [arguments.kvasir, "logits", "--model", model, "--tokens", token_path, "--out", out_path,
               "--kv", kv, "--chunk", chunk, "--threads", arguments.threads, "--isa", arguments.isa, "--compute", compute,
               "--no-store"]
    run = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    return np.load(out_path) if run.returncode == 0 else run.stderr.strip()
