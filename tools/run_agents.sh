#!/usr/bin/env bash
# Runs agents and a load generator, unmodified, against kvasir serve on the bundled model. The model
# edits nothing well: an agent passes when it ends without an error of the protocol, its requests were
# all answered with 200, and its answer is shown.
#
#   tools/run_agents.sh FOLDER [AGENT...]      llm aider aiperf qwen continue; llm alone if left out
#
# Each is installed once below FOLDER: llm 85 MB, aider 700 MB, aiperf 1.2 GB (pip); qwen 60 MB,
# continue 85 MB (npm). KVASIR is the program, build/release/kvasir if unset.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
kvasir=$(realpath "${KVASIR:-$root/build/release/kvasir}")
mkdir -p "${1:?usage: tools/run_agents.sh FOLDER [AGENT...]}"
folder=$(realpath "$1")
shift
[ $# -gt 0 ] || set -- llm

# The model may repeat itself without an end, which comes here then.
context=16384
scratch=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; wait; rm -rf "$scratch"' EXIT

start_server() {
  "$kvasir" serve --port 0 --store "$scratch/store" --context "$context" \
    >"$scratch/address" 2>"$scratch/access.log" &
  server=$!
  for _ in $(seq 100); do
    url=$(grep -o 'http://[0-9.:]*' "$scratch/address" || true)
    if [ -n "$url" ] && [ "$(asked "$url/ready")" = 200 ]; then return; fi
    sleep 0.2
  done
  echo "the server does not start" >&2
  exit 1
}

asked() {
  python3 - "$1" <<'PY'
import sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1]).status)
except urllib.error.HTTPError as error:
    print(error.code)
PY
}

pip_install() {  # NAME PACKAGE
  [ -x "$folder/$1/bin/python" ] || python3 -m venv "$folder/$1"
  "$folder/$1/bin/pip" install --quiet "$2" >&2
}

npm_install() {  # NAME PACKAGE
  mkdir -p "$folder/$1"
  (cd "$folder/$1" && npm install --no-audit --no-fund --silent "$2") >&2
}

# A home of its own, and nothing of the caller's settings.
alone() {
  env -i PATH="$PATH" HOME="$scratch/home" TERM=dumb LANG=C.UTF-8 OPENAI_API_KEY=none \
    OPENAI_API_BASE="$url/v1" OPENAI_BASE_URL="$url/v1" "$@" </dev/null
}

run_llm() {
  pip_install llm llm==0.36
  mkdir -p "$scratch/home/llm"
  printf -- '- model_id: kvasir\n  model_name: kvasir\n  api_base: %s/v1\n' "$url" \
    >"$scratch/home/llm/extra-openai-models.yaml"
  local llm=(alone LLM_USER_PATH="$scratch/home/llm" timeout 120 "$folder/llm/bin/llm")
  "${llm[@]}" -m kvasir -o max_tokens 60 "Tell me about the cat."
  "${llm[@]}" -m kvasir -o max_tokens 60 --continue "And then?"
  "${llm[@]}" -m kvasir -o max_tokens 60 --no-stream -s "Be brief." "Tell me about the dog."
}

run_aider() {
  pip_install aider aider-chat==0.86.2
  mkdir -p "$scratch/work"
  printf 'def add(a, b):\n    return a - b\n' >"$scratch/work/add.py"
  (cd "$scratch/work" && alone timeout 300 "$folder/aider/bin/aider" --model openai/kvasir \
    --yes-always --no-check-update --analytics-disable --no-show-model-warnings --no-git \
    --no-pretty --message "Mend add." add.py)
}

run_aiperf() {
  pip_install aiperf aiperf==0.13.0
  mkdir -p "$scratch/tokenizer"
  cp "$root/models/kvasir-tiny/tokenizer.json" "$scratch/tokenizer/"
  printf '{"tokenizer_class": "PreTrainedTokenizerFast"}\n' >"$scratch/tokenizer/tokenizer_config.json"
  alone timeout 300 "$folder/aiperf/bin/aiperf" profile --model kvasir --url "$url" \
    --endpoint-type chat --streaming --request-count 20 --concurrency 4 \
    --synthetic-input-tokens-mean 200 --output-tokens-mean 32 --extra-inputs ignore_eos:true \
    --tokenizer "$scratch/tokenizer" --artifact-dir "$scratch/aiperf" --ui none
}

run_qwen() {
  npm_install qwen @qwen-code/qwen-code@0.15.10
  mkdir -p "$scratch/work"
  (cd "$scratch/work" && alone OPENAI_MODEL=kvasir timeout 300 \
    "$folder/qwen/node_modules/.bin/qwen" --auth-type openai -y -p "Tell me about the cat.")
}

run_continue() {
  npm_install continue @continuedev/cli@1.5.47
  mkdir -p "$scratch/work"
  cat >"$scratch/continue.yaml" <<YAML
name: kvasir
version: 0.0.1
schema: v1
models:
  - {name: kvasir, provider: openai, model: kvasir, apiBase: $url/v1, apiKey: none, roles: [chat]}
YAML
  (cd "$scratch/work" && alone timeout 300 "$folder/continue/node_modules/.bin/cn" \
    --config "$scratch/continue.yaml" -p "Tell me about the cat.")
}

# What the server thought of it: every request of an agent's is to be answered.
check_access_log() {  # LINES_BEFORE
  local answers
  answers=$(tail -n "+$(($1 + 1))" "$scratch/access.log" | grep -c ' POST .* status=200' || true)
  local others
  others=$(tail -n "+$(($1 + 1))" "$scratch/access.log" | grep ' POST ' | grep -v ' status=200' || true)
  if [ "$answers" -eq 0 ] || [ -n "$others" ]; then
    printf '%s\n' "$others" >&2
    return 1
  fi
  echo "$answers requests answered"
}

start_server
failed=0
for agent in "$@"; do
  declare -F "run_$agent" >/dev/null || { echo "unknown agent, $agent" >&2; exit 2; }
  before=$(wc -l <"$scratch/access.log")
  echo "== $agent"
  # In a shell of its own, as a condition would switch its -e off.
  status=0
  set +e
  (set -e; "run_$agent" && check_access_log "$before") >"$scratch/$agent.log" 2>&1
  status=$?
  set -e
  tail -n 25 "$scratch/$agent.log" | cut -c 1-400
  if [ "$status" -eq 0 ]; then echo "$agent: ok"; else echo "$agent: FAILED"; failed=1; fi
done
exit "$failed"
