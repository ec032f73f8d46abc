#!/usr/bin/env python3
"""Prints what was measured of cache precisions as the tables of docs/precision.md.

    tools/quality_table.py [data/cache_quality.json] [--attention gqa | deepseek-v4]

`kvasir eval codecs --quality FILE` and `eval recall --quality FILE` make the file; docs_test
compares the page with it.
"""
import argparse
import json
import math


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


def share(right, count):
    """With Wilson's interval, in %."""
    z = 1.959963984540054
    p = right / count
    spread = z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    centre = p + z * z / (2 * count)
    scale = 100 / (1 + z * z / count)
    high = 100 if right == count else (centre + spread) * scale
    return f"{100 * p:.1f} [{(centre - spread) * scale:.1f}, {high:.1f}]"


def answers_row(one, measurement):
    kl = one["kl"]
    count = measurement["count"]
    cells = [
        f"{measurement['texts'][0]['tokens']:,}",
        f"`{one['precision']}`",
        f"{one['bits']:.3g}",
        f"{one['right']} of {count}",
        share(one["right"], count),
        f"{kl['value']:.5f} [{kl['low']:.5f}, {kl['high']:.5f}]",
    ]
    return "| " + " | ".join(cells) + " |"


def print_codecs(measurement):
    print("| `--kv` | bits | K | V | O | KL, nats | same first token, % | perplexity ratio "
          "| copy | quality |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---|")
    others = measurement["precisions"]
    for one in others:
        if one["precision"] != "f32":  # the exact cache
            print(row(one, others))


def print_recall(measurements):
    print("| tokens | `--kv` | bits | right answers | % | KL, nats a token of the answers |")
    print("|---:|---|---:|---:|---:|---:|")
    for measurement in measurements:
        for one in measurement["precisions"]:
            print(answers_row(one, measurement))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", default="data/cache_quality.json")
    parser.add_argument("--attention", default="gqa")
    options = parser.parse_args()
    with open(options.file, encoding="utf-8") as file:
        measurements = json.load(file)
    wanted = [one for one in measurements if one["attention"] == options.attention]
    for measurement in wanted:
        if measurement["evaluation"] == "codecs":
            print_codecs(measurement)
    recall = [one for one in wanted if one["evaluation"] == "recall"]
    if recall:
        print_recall(recall)


if __name__ == "__main__":
    main()
