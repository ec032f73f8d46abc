"""Packs a training checkpoint into a model folder: python3 export.py WORK_FOLDER MODEL_FOLDER [--name run]

Checks that every stored tensor decodes to exactly what was trained."""

import argparse
import json
import os
import shutil

import torch

from checkpoint import decode, load_model, pack_model, read_tensors, write_tensors
from model import Config, DeepseekV4

SIZE_BYTES_MAX = 16_000_000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("folder")
    parser.add_argument("--config", default=os.path.join(os.path.dirname(__file__), "config.json"))
    parser.add_argument("--name", default="run")
    options = parser.parse_args()
    saved = torch.load(f"{options.work}/{options.name}.pt", weights_only=True)
    os.makedirs(options.folder, exist_ok=True)
    path = f"{options.folder}/model.safetensors"
    size_bytes = write_tensors(path + ".part", pack_model(saved["model"]))
    if size_bytes > SIZE_BYTES_MAX:
        raise SystemExit(f"{size_bytes} bytes, at most {SIZE_BYTES_MAX} wanted")
    os.replace(path + ".part", path)
    with open(options.config) as f:
        config = json.load(f)
    with open(f"{options.folder}/config.json", "w") as f:
        json.dump(config, f, indent=1)
        f.write("\n")
    with open(f"{options.folder}/generation_config.json", "w") as f:
        json.dump({"bos_token_id": 0, "eos_token_id": 1, "do_sample": True, "temperature": 0.7, "top_p": 0.95}, f, indent=1)
        f.write("\n")
    shutil.copyfile(f"{options.work}/tokenizer.json", f"{options.folder}/tokenizer.json")

    model = DeepseekV4(Config.load(f"{options.folder}/config.json"))
    load_model(model, decode(read_tensors(path)), torch.float32)
    for name, value in model.state_dict().items():
        if not torch.equal(value.float(), saved["model"][name].float()):
            raise SystemExit(f"{name} does not decode to what was trained")
    print(f"step {saved['step']}, {saved['seen']} tokens seen, {size_bytes} bytes, {len(saved['model'])} parameters, all exact")


if __name__ == "__main__":
    main()
