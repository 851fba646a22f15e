#!/usr/bin/env bash
# Makes the replicas anew, one after the other, behind the proxy of compose.yaml: no request is refused and no stream is cut.
#
#   deploy/rolling-upgrade.sh [REPLICA…]      default: gateway-1 gateway-2
#
# For each replica: the proxy sends it nothing new, it is stopped (running streams end within Gateway:Hosting:DrainTimeout, background responses
# go to the others), it is started anew from the image that compose.yaml names, and the proxy takes it back once it is ready.
#
# What it calls can be replaced, for other platforms and for tests:
#   ROLL_PROXY    a command that sends its standard input to HAProxy's stats socket and prints the answer
#   ROLL_RESTART  a command that stops a replica and starts it anew; the replica's name is added as its last argument
#   ROLL_SETTLE   seconds that requests which a replica has just been sent may take to be begun, before it is stopped all the same (default 10)
#   ROLL_PATIENCE seconds that a replica may take to become ready (default 120)
set -euo pipefail
cd "$(dirname "$0")"

proxy=${ROLL_PROXY:-docker compose exec -T proxy nc 127.0.0.1 9999}
restart=${ROLL_RESTART:-docker compose up --detach --no-deps --force-recreate}
settle=${ROLL_SETTLE:-10}
patience=${ROLL_PATIENCE:-120}
replicas=("$@")
[ ${#replicas[@]} -gt 0 ] || replicas=(gateway-1 gateway-2)

ask() { printf '%s\n' "$1" | $proxy; }

# The operational state of each server, "name 2": 2 is up. (HAProxy's management guide, "show servers state": columns 4 and 6.)
states() { ask 'show servers state replicas' | awk '$2 == "replicas" { print $4, $6 }'; }

others_up() { states | grep -v "^$1 " | grep -q ' 2$'; }

# Requests that a replica was sent and whose answer has not begun: requests without answers, tries given up and errors.
# (The same guide, "show stat": stot, then hrsp_1xx to hrsp_other, wretr, eresp, econ.) A replica that is stopped refuses what it has not begun.
waiting() {
  ask 'show stat replicas 4 -1' |
    awk -F, -v name="$1" '$2 == name { print $8 - ($40 + $41 + $42 + $43 + $44 + $45) - $16 - $15 - $14 }'
}

for replica in "${replicas[@]}"; do
  states | grep -q "^$replica " || { echo "rolling-upgrade: the proxy knows no replica $replica" >&2; exit 1; }
  others_up "$replica" || { echo "rolling-upgrade: no other replica than $replica is up: nothing is stopped" >&2; exit 1; }

  echo "$replica: drain"
  ask "set server replicas/$replica state drain" >/dev/null
  # What the proxy sent a moment ago is begun before the stop signal. Answers that are not streamed begin when they are made: not all can be awaited.
  sleep 1
  for ((left = settle * 5; left > 0; left--)); do
    [ "$(waiting "$replica")" -gt 0 ] || break
    sleep 0.2
  done
  echo "$replica: restart"
  $restart "$replica"
  # The proxy takes it back by a check of the new process, not by what it knew of the old one.
  ask "set server replicas/$replica health down" >/dev/null
  ask "set server replicas/$replica state ready" >/dev/null
  for ((left = patience * 5; left > 0; left--)); do
    states | grep -q "^$replica 2$" && break
    sleep 0.2
  done
  [ "$left" -gt 0 ] || { echo "rolling-upgrade: $replica was not ready within $patience s" >&2; exit 1; }
  echo "$replica: ready"
done
