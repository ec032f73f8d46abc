#!/usr/bin/env python3
"""Prints the table of src/plan/reference_defaults.cc: what the config classes of transformers take where a
config leaves a field out.

  tools/reference_defaults.py --kvasir build/release/kvasir

A number that follows from other fields (KV heads from heads, a head's dims from the hidden size) is none:
each is asked for with two configs that differ in those.
"""

import argparse
import json
import subprocess

from transformers import CONFIG_MAPPING
from transformers.utils import logging

FIELDS = ("max_position_embeddings", "num_key_value_heads", "head_dim")
# Two shapes: what stays the same in both is the reference's own number.
SHAPES = [{"hidden_size": 960, "num_attention_heads": 24}, {"hidden_size": 1920, "num_attention_heads": 40}]


def own_number(config_class, field):
    values = set()
    for shape in SHAPES:
        try:
            values.add(getattr(config_class(**shape), field, None))
        except Exception:  # a class that cannot be built of these alone
            return 0
    value = values.pop()
    return value if not values and isinstance(value, int) and not isinstance(value, bool) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kvasir", required=True)
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    listed = subprocess.run([arguments.kvasir, "plan", "--list", "--json"], check=True, capture_output=True)
    for name in json.loads(listed.stdout)["architectures"]:
        if name not in CONFIG_MAPPING:
            continue
        numbers = [own_number(CONFIG_MAPPING[name], field)
                   for field in FIELDS]
        if any(numbers):
            print(f'    {{"{name}", {numbers[0]}, {numbers[1]}, {numbers[2]}}},')


if __name__ == "__main__":
    main()
