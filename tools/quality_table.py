#!/usr/bin/env python3
"""Prints what was measured of cache precisions as the table of docs/precision.md.

    tools/quality_table.py [data/cache_quality.json] [--attention gqa]

`kvasir eval codecs --quality FILE` makes the file; docs_test compares the page with it.
"""
import argparse
import json


def cell(value, digits):
    return "" if value is None else f"{value:.{digits}f}"


def is_beaten(one, others):
    """Whether another is no larger and no worse, and one of both better."""
    size = (one["bits"], one["kl"]["value"])
    return any(
        other["bits"] <= size[0]
        and other["kl"]["value"] <= size[1]
        and (other["bits"], other["kl"]["value"]) != size
        for other in others
    )


def row(one, others):
    kl = one["kl"]
    name = f"`{one['precision']}`"
    copied = one.get("copied")
    cells = [
        name if is_beaten(one, others) else f"**{name}**",
        f"{one['bits']:.3g}",
        cell(one.get("keys"), 4),
        cell(one.get("values"), 4),
        cell(one.get("attended"), 4),
        f"{kl['value']:.5f} ({(kl['high'] - kl['low']) / 2:.5f})",
        cell(100 * one["same"], 1),
        cell(one["perplexity_ratio"], 4),
        cell(copied, 3),
        one["quality"],
    ]
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", default="data/cache_quality.json")
    parser.add_argument("--attention", default="gqa")
    options = parser.parse_args()
    with open(options.file, encoding="utf-8") as file:
        measurements = json.load(file)
    for measurement in measurements:
        if measurement["evaluation"] != "codecs" or measurement["attention"] != options.attention:
            continue
        print("| `--kv` | bits | K | V | O | KL, nats | same first token, % | perplexity ratio "
              "| copy | quality |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---|")
        others = measurement["precisions"]
        for one in others:
            if one["precision"] != "f32":  # the exact cache
                print(row(one, others))


if __name__ == "__main__":
    main()
