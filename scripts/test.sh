#!/usr/bin/env bash
# Builds what the tests need, runs them all, and ends with a summary: the way of `make test` and CI.
set -euo pipefail
cd "$(dirname "$0")/.."
started=$SECONDS
step() { echo "== $1"; }

step "release server"
swift build -c release --product server
step "plugins"
make --no-print-directory plugins
step "apps"
make --no-print-directory apps
step "tests"
swift build --build-tests
log=.build/test.log
set +e
quiet='(◇|✔) Test |(◇|✔) Suite|started at|Executed 0 tests'
swift test --skip-build 2>&1 | tee "$log" | grep -Ev "$quiet"
status=${PIPESTATUS[0]}
set -e

step "summary"
grep -E '^(✔|✘) Test run with' "$log" || echo "no test run was completed"
grep -E '^✘ Test .* failed after ' "$log" | grep -v '^✘ Test run' | sort -u || true
echo "$((SECONDS - started)) seconds; the whole log is in $log"
exit "$status"
