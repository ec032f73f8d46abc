#!/usr/bin/env bash
# Makes the texts on which docs/precision.md compares cache precisions, from packages of Debian 12:
#   tools/reference_texts.sh DIRECTORY
#   policy.txt  debian-policy 4.6.2.0, the body
#   bible.txt   bible-kjv 4.38, all verses without their places
#   faq.txt     debian-faq 11.1, the body
# Other versions of the packages have other texts, which ends in an error.
set -euo pipefail

directory=${1:?usage: tools/reference_texts.sh DIRECTORY}
for package in debian-policy bible-kjv debian-faq; do
  if ! dpkg -s "$package" >/dev/null 2>&1; then
    echo "reference_texts.sh: a package is missing: apt-get install $package" >&2
    exit 1
  fi
done

# What follows the table of contents: the text from the second place on where these words stand.
body() {
  awk -v words="$1" '
    on { print; next }
    index($0, words) && ++seen == 2 { on = 1; print substr($0, index($0, words)) }'
}

mkdir -p "$directory"
zcat /usr/share/doc/debian-policy/policy.txt.gz | body "1. About this manual" \
  >"$directory/policy.txt"
bible -f gen1:1-rev22:21 | sed 's/^[^ ]* //' >"$directory/bible.txt"
zcat /usr/share/doc/debian/FAQ/debian-faq.en.txt.gz | body "Definitions and overview" \
  >"$directory/faq.txt"

cd "$directory"
sha256sum --check --quiet <<'SUMS'
f8c00c3f120fbee372f56a1d60f59e14dd3ce9ea5bc8ca87c2d6716f8343f754  policy.txt
b5c4940bcfeee072c0935b5200d0f9d88a00a0199cb0961d16133458fcdfae5d  bible.txt
30f5b156e6b8894fd95633a8c59764977defc0b741b29593a7097ce09f3fe6de  faq.txt
SUMS
