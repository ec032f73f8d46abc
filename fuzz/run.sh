#!/usr/bin/env bash
# fuzz/run.sh TARGET SECONDS: runs every seed of a target, then searches from them for a while.
# What it finds new goes to build/fuzz; the seeds in fuzz/corpus stay as they are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=${1:?usage: fuzz/run.sh TARGET SECONDS}
seconds=${2:?usage: fuzz/run.sh TARGET SECONDS}
program=build/asan/fuzz/$target
seeds=fuzz/corpus/${target%_fuzz}
[ -x "$program" ] || { echo "kvasir: no $program; build it: cmake --preset asan" >&2; exit 1; }
[ -n "$(ls -A "$seeds" 2>/dev/null)" ] || { echo "kvasir: no seeds in $seeds" >&2; exit 1; }

# A parser of outside bytes may not ask for much more memory than it was given.
limits=(-timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=256)
"$program" "${limits[@]}" "$seeds"/*

found=build/fuzz/found/$target
mkdir -p "$found"
"$program" "${limits[@]}" -artifact_prefix="$found/failure-" -max_total_time="$seconds" \
  -print_final_stats=1 "$found" "$seeds"
