#!/usr/bin/env bash
# Brings Prometheus and promtool for tests/monitoring: Debian's package, unpacked into .venv/prometheus.
# Nothing is installed, so root is not needed; where both are on the PATH already, nothing is done.
set -euo pipefail
cd "$(dirname "$0")/../.."
place=$PWD/.venv/prometheus

has() { command -v "$1" >/dev/null && command -v "$2" >/dev/null; }
if has prometheus promtool || test -x "$place/usr/bin/promtool"; then
    exit 0
fi
if ! has apt-get dpkg; then
    echo "tests/monitoring needs prometheus and promtool on the PATH, or apt-get to fetch them" >&2
    exit 1
fi

mkdir -p "$place/lists/partial"
cd "$place"
fetch() { apt-get "$@" download prometheus >fetch.log 2>&1; }
# a machine without package lists, or with old ones, gets lists of its own here
own=(-o "Dir::State::lists=$place/lists" -o "Dir::Cache=$place/cache" -o APT::Sandbox::User=)
if ! fetch && ! { apt-get "${own[@]}" update >update.log 2>&1 && fetch "${own[@]}"; }; then
    echo "tests/monitoring: apt-get cannot fetch the package prometheus: see $place/*.log" >&2
    exit 1
fi
dpkg -x prometheus_*.deb .
rm -rf prometheus_*.deb lists cache ./*.log
usr/bin/promtool --version | head -1
