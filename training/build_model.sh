#!/usr/bin/env bash
# Rebuilds models/kvasir-tiny from nothing: texts, tokenizer, training, export. Debian 12 with python3-venv and g++.
# STEPS and MINUTES bound the first stage, by what comes first; the recall stages take 174 minutes.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
work="${WORK:-$here/work}"
model="${MODEL:-$here/../models/kvasir-tiny}"
steps="${STEPS:-3500}"
minutes="${MINUTES:-92}"
packages=(bible-kjv bible-kjv-text sword-text-web r-cran-janeaustenr dict-devil miscfiles)

mkdir -p "$work/packages" "$work/downloads"
cd "$work/downloads"
for package in "${packages[@]}"; do
  compgen -G "${package}_*.deb" > /dev/null || apt-get download "$package"
  dpkg-deb -x "$(compgen -G "${package}_*.deb" | head -n 1)" "$work/packages"
done

if [ "${VENV:-1}" = 1 ]; then
  [ -x "$work/venv/bin/python3" ] || python3 -m venv "$work/venv"
  # The CPU build of torch is enough.
  "$work/venv/bin/pip" install --quiet -r "$here/requirements.txt"
  export PATH="$work/venv/bin:$PATH"
fi

cd "$here"
python3 data.py "$work"
python3 chat_data.py "$work" 60000
python3 tokenizer.py "$work"
python3 eval_texts.py "$work" "$here/../data"
python3 train.py "$work" --config config_language.json --steps "$steps" --minutes "$minutes" --rows 6 --tokens 512 --threads 1 --compile --name run
python3 train_recall.py "$work" --stage dense --compile
python3 train_recall.py "$work" --stage sparse --compile
python3 train_recall.py "$work" --stage settle --compile
python3 train_recall.py "$work" --stage far --compile
python3 train_recall.py "$work" --stage lonely --compile
python3 train_recall.py "$work" --stage polish --compile
python3 train_recall.py "$work" --stage talk --compile
python3 export.py "$work" "$model" --name talk
python3 sample.py "$model" --held-out "$work"
python3 sample.py "$model"
