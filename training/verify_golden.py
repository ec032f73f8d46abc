"""Checks model.py against a golden folder: python3 verify_golden.py FOLDER [FOLDER ...]"""

import sys

import numpy as np
import torch

from checkpoint import decode, load_model, read_tensors
from model import Config, DeepseekV4


def compare(folder: str) -> bool:
    config = Config.load(f"{folder}/config.json")
    model = DeepseekV4(config)
    load_model(model, decode(read_tensors(f"{folder}/model.safetensors")), torch.float64)
    model.eval()
    tokens = torch.tensor([int(t) for t in open(f"{folder}/tokens.txt").read().split()])[None]
    good = True
    for name, native in (("f32", False), ("native", True)):
        golden = np.load(f"{folder}/logits-{name}.npy").astype(np.float64)
        records = {}
        with torch.no_grad():
            ours = model.logits(tokens, native=native, records=records)[0].numpy()
        rel = np.sqrt(((ours - golden) ** 2).mean(-1)) / golden.std()
        top1 = (ours.argmax(-1) == golden.argmax(-1)).mean()
        good &= bool(np.median(rel) <= 5e-3 and top1 >= 0.97) if native else bool(rel.max() <= 5e-5)
        print(f"{folder} {name}: rel max {rel.max():.2e} median {np.median(rel):.2e} same top-1 {top1:.4f}")
    return good


if __name__ == "__main__":
    results = [compare(folder) for folder in sys.argv[1:]]
    print("pass" if all(results) else "FAIL")
    sys.exit(0 if all(results) else 1)
