#!/usr/bin/env bash
# Starts what compose.yaml has, with keys of its own: made at the first start, kept in deploy/.env, which only its owner can read.
#
#   deploy/up.sh [ARGUMENT…]      further arguments of "docker compose up"
set -euo pipefail
cd "$(dirname "$0")"

if [ ! -e .env ]; then
  (
    umask 077
    {
      echo "# The API key of tenant \"local\", the key that seals what clients carry, and the password of Grafana's user admin."
      echo "GATEWAY_API_KEY=$(openssl rand -hex 32)"
      echo "GATEWAY_SECRET_KEY=$(openssl rand -base64 32)"
      echo "GRAFANA_PASSWORD=$(openssl rand -hex 16)"
    } >.env
  )
fi

docker compose up --detach --wait "$@"
echo "The gateway answers at http://127.0.0.1:${GATEWAY_PORT:-8080}, Grafana at http://127.0.0.1:${GRAFANA_PORT:-3000}; the keys are in deploy/.env."
