#!/usr/bin/env bash
# Measures `kvasir bench remote` over links of known speed: redis-server in one network namespace,
# kvasir in another, and between them a pair of interfaces whose both ends a token bucket slows.
#
#   tools/remote_links.sh [--kvasir PROGRAM] [RATE...] [-- OPTIONS OF BENCH REMOTE]
#   tools/remote_links.sh 1gbit 300mbit -- --flash --tokens 1024 8192 32768 102400
#
# With --csv FILE --svg FILE behind the --, all rates are in one table and one chart. A table that is
# there already is added to.
#
# Needs root, iproute2 and redis-server. It leaves nothing behind.
set -euo pipefail

kvasir=build/release/kvasir
rates=()
while [ $# -gt 0 ]; do
  case $1 in
    --kvasir) kvasir=$2; shift 2 ;;
    --) shift; break ;;
    *) rates+=("$1"); shift ;;
  esac
done
[ ${#rates[@]} -gt 0 ] || rates=(1gbit 300mbit)
for program in ip tc redis-server "$kvasir"; do
  command -v "$program" >/dev/null || { echo "remote_links.sh: no $program" >&2; exit 1; }
done

near=kvasir-near-$$ far=kvasir-far-$$
folder=$(mktemp -d)
clean_up() {
  [ -z "${server:-}" ] || kill "$server" 2>/dev/null || true
  ip netns delete "$near" 2>/dev/null || true
  ip netns delete "$far" 2>/dev/null || true
  rm -rf "$folder"
}
trap clean_up EXIT

ip netns add "$near"
ip netns add "$far"
ip -n "$near" link add near type veth peer name far netns "$far"
ip -n "$near" address add 10.77.0.1/24 dev near
ip -n "$far" address add 10.77.0.2/24 dev far
ip -n "$near" link set near up
ip -n "$far" link set far up
ip -n "$near" link set lo up

ip netns exec "$far" redis-server --port 6379 --bind 10.77.0.2 --protected-mode no --save '' \
  --appendonly no --maxmemory 2gb --maxmemory-policy allkeys-lru --dir "$folder" >"$folder/log" &
server=$!

for rate in "${rates[@]}"; do
  for end in "$near near" "$far far"; do
    read -r space device <<<"$end"
    tc -n "$space" qdisc replace dev "$device" root tbf rate "$rate" burst 256kb latency 50ms
  done
  echo "== $rate"
  ip netns exec "$near" "$kvasir" bench remote --remote redis://10.77.0.2:6379 --link "$rate" "$@"
done
