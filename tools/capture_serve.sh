#!/usr/bin/env bash
# Captures the second session of README.md: a server that is asked about half a novel, killed with
# SIGKILL, started again and asked once more. Uses a store of its own.
#
#   tools/capture_serve.sh [KVASIR]      KVASIR: the program, build/release/kvasir if left out
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
kvasir=$(realpath "${1:-$root/build/release/kvasir}")
scratch=$(mktemp -d)
server=
trap 'kill -9 "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT
cd "$scratch"

sed '17s/$/ Marianne Bates owns 82 oxen./' "$root/data/book.txt" >prompt.txt
printf '\nHow many oxen does Marianne Bates own?' >>prompt.txt
python3 -c 'import json; print(json.dumps({"messages": [{"role": "user", "content": open("prompt.txt").read()}],
                                           "reasoning_effort": "none", "temperature": 0}))' >question.json

for start in first second; do
  "$kvasir" serve --port 0 --store store --quiet >address.txt 2>/dev/null &
  server=$!
  until grep -q http address.txt; do sleep 0.05; done
  url=$(grep -o 'http://.*' address.txt)
  echo "# $start server"
  curl -s -w '\n%{time_total} s\n' "$url/v1/chat/completions" \
    -H 'content-type: application/json' -d @question.json
  # What a killed process had not handed to the system is lost, and computed again.
  kill -9 "$server"
  wait "$server" 2>/dev/null || true
done
