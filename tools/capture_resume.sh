#!/usr/bin/env bash
# Captures the session at the top of README.md: a long prompt that is read once, then answered again
# by another process from what the first one kept. Uses a store of its own.
#
#   tools/capture_resume.sh [KVASIR]      KVASIR: the program, build/release/kvasir if left out
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
kvasir=$(realpath "${1:-$root/build/release/kvasir}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Line 17 ends a paragraph on the second page. The fact is 55,000 tokens back when it is asked for.
sed '17s/$/ Marianne Bates owns 82 oxen./' "$root/data/book.txt" >"$scratch/prompt.txt"
printf '\nHow many oxen does Marianne Bates own?' >>"$scratch/prompt.txt"

for process in first second; do
  echo "\$ ./kvasir.sh run --chat --prompt-file prompt.txt      # $process process"
  "$kvasir" run --chat --prompt-file "$scratch/prompt.txt" --store "$scratch/store" 2>&1
done
