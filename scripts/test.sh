#!/usr/bin/env bash
# Builds what the tests need, runs them all (those with a worker in them on io_uring and on epoll), and ends
# with a minute of fuzzing and a summary: the way of `make test` and CI.
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
swift build --build-tests

log=.build/test.log
quiet='(◇|✔) Test |(◇|✔) Suite|started at|Executed 0 tests'
status=0
: >"$log"
run() { # IO [OPTION…]
  step "tests (--io $1)"
  set +e
  NSGI_IO=$1 swift test --skip-build "${@:2}" 2>&1 | tee -a "$log" | grep -Ev "$quiet"
  local result=${PIPESTATUS[0]}
  set -e
  [ "$result" = 0 ] || status=$result
}
run auto
run epoll --filter '^(HostTests|ConformanceTests|IntegrationTests|SwapTests|PythonTests)\.'

# A minute of new inputs in all: whole servers with the Address Sanitizer in them, then the parsers alone.
step "fuzzing"
BUILT=tests Tests/Fuzz/server.sh 40 2>&1 | tee -a "$log" | grep -Ev "$quiet"
[ "${PIPESTATUS[0]}" = 0 ] || status=1
Tests/Fuzz/fuzz.sh all 2 >.build/fuzz.log 2>&1 || { tail -40 .build/fuzz.log; status=1; }

step "summary"
grep -E '^(✔|✘) Test run with' "$log" || echo "no test run was completed"
grep -E '^✘ Test .* failed after ' "$log" | grep -v '^✘ Test run' | sort -u || true
echo "$((SECONDS - started)) seconds; the whole log is in $log"
exit "$status"
