#!/usr/bin/env bash
# Installs the package on a bare Debian 12 and asks the installed server for an answer. As root; fetches
# about 100 MB from Debian. Prints "ok" at the end.
#
#   ./kvasir.sh package && tools/check_package.sh build/kvasir_*.deb [FOLDER]
#
# FOLDER (a new temporary one) holds the bare system, and goes at the end.
set -euo pipefail

package=$(readlink -f "${1:?the package is missing}")
bare=$(readlink -f "${2:-$(mktemp -d)}")/bare
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
port=18080
server=

say() { printf '== %s\n' "$*" >&2; }
fail() { say "failed: $*"; exit 1; }
# No function: a command of it in the background is the program itself, and gets its signals.
inside=(chroot "$bare" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive)

tidy() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" || true; fi
  # Nothing is removed below a folder of the machine that is still mounted.
  umount "$bare/proc" 2>/dev/null || ! mountpoint -q "$bare/proc" || exit 1
  rm -rf --one-file-system "$bare"
}

ask() { curl --silent --show-error --max-time 60 "$@"; }

say "a bare Debian 12"
trap tidy EXIT
debootstrap --variant=minbase bookworm "$bare" "$mirror" >"$bare.log" 2>&1 ||
  { tail "$bare.log" >&2; fail debootstrap; }
mount -t proc proc "$bare/proc"
cp /etc/resolv.conf "$bare/etc/resolv.conf"
for name in http_proxy https_proxy; do
  if [ -n "${!name:-}" ]; then
    printf 'Acquire::%s::Proxy "%s";\n' "${name%_proxy}" "${!name}" >>"$bare/etc/apt/apt.conf.d/proxy"
  fi
done

say "apt install"
cp "$package" "$bare/tmp/"
"${inside[@]}" apt-get -q update >"$bare.log" 2>&1 || { tail "$bare.log" >&2; fail "apt-get update"; }
"${inside[@]}" apt-get -q install -y --no-install-recommends "/tmp/${package##*/}" >"$bare.log" 2>&1 ||
  { tail "$bare.log" >&2; fail "apt-get install"; }
if "${inside[@]}" dpkg-query -W -f='${Package}\n' | grep -e '-dev$' >&2; then fail "it needs packages of headers"; fi
"${inside[@]}" kvasir --version
"${inside[@]}" kvasir run --no-store --prompt 'It is a truth' --max-tokens 4

say "kvasir serve"
"${inside[@]}" kvasir serve --port "$port" --store /var/lib/kvasir >"$bare.log" 2>&1 &
server=$!
for _ in $(seq 100); do
  if ask --fail -o /dev/null "http://127.0.0.1:$port/ready" 2>/dev/null; then break; fi
  sleep 0.1
done
status=$(ask -o "$bare.answer" -w '%{http_code}' "http://127.0.0.1:$port/v1/chat/completions" \
  -H 'Content-Type: application/json' \
  -d '{"model": "any", "max_tokens": 8, "messages": [{"role": "user", "content": "Who are you?"}]}')
cat "$bare.answer"
echo
[ "$status" = 200 ] || fail "status $status"
kill -TERM "$server"
wait "$server" || fail "the server's exit status was $?"
server=

say "apt purge"
"${inside[@]}" apt-get -q purge -y kvasir >"$bare.log" 2>&1 || { tail "$bare.log" >&2; fail "apt-get purge"; }
for left in /usr/bin/kvasir /usr/share/kvasir /etc/default/kvasir /var/lib/kvasir; do
  if [ -e "$bare$left" ]; then fail "$left is left"; fi
done
rm -f "$bare.log" "$bare.answer"
echo ok
