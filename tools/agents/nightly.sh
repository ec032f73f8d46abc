#!/usr/bin/env bash
# Runs every agent of run.py, the large ones too: 1.1 GB of npm packages below FOLDER.
#
#   tools/agents/nightly.sh FOLDER
set -euo pipefail

exec "$(dirname "${BASH_SOURCE[0]}")/run.py" "${1:?usage: tools/agents/nightly.sh FOLDER}" \
  llm qwen continue pi opencode claude codex
