#!/usr/bin/env python3
"""Prints what was measured of cache precisions as the table of docs/precision.md.

    tools/quality_table.py [data/cache_quality.json] [--attention gqa]

`kvasir eval codecs --quality FILE` makes the file; docs_test compares the page with it.
"""
import argparse
import json


def cell(value, digits):
    return "" if value is None else f"{value:.{digits}f}"


def row(one):
    kl = one["kl"]
    copied = one.get("copied")
    cells = [
        f"`{one['precision']}`",
        f"{one['bits']:g}",
        cell(one.get("keys"), 4),
        cell(one.get("values"), 4),
        cell(one.get("attended"), 4),
        f"{kl['value']:.5f} [{kl['low']:.5f}, {kl['high']:.5f}]",
        cell(100 * one["same"], 1),
        f"{one['perplexity_ratio']:.4f} ({one['perplexity_ratio_error']:.4f})",
        cell(None if copied is None else 100 * copied, 1),
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
        print("| `--kv` | bits | K | V | O | KL, nats [95 %] | same first token, % "
              "| perplexity ratio (error) | copied, % | quality |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---|")
        for one in measurement["precisions"]:
            print(row(one))


if __name__ == "__main__":
    main()
