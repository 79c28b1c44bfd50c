#!/bin/sh
# Installs the programs that the stack tests run for real: Prometheus, Alertmanager,
# Chromium, curl and PostgreSQL.
set -eu
missing=""
has() { command -v "$1" >/dev/null 2>&1; }
{ has prometheus && has promtool; } || missing="$missing prometheus"
{ { has prometheus-alertmanager || has alertmanager; } && has amtool; } ||
    missing="$missing prometheus-alertmanager"
has chromium || missing="$missing chromium fonts-dejavu-core"
has curl || missing="$missing curl"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! has apt-get; then
    echo "tests that need them are skipped; to run them: apt-get install$missing" >&2
    exit 0
fi
# Debian starts what it installs; the tests start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# shellcheck disable=SC2086  # a list of packages
apt-get -qq install -y --no-install-recommends $missing >/dev/null
