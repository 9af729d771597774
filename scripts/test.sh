#!/usr/bin/env bash
# Builds what the tests need, runs them all (those with a worker in them on io_uring and on epoll), and ends
# with the budgets of the main paths, a minute of fuzzing and a summary: the way of `make test` and CI. With a
# FILTER, only tests whose names match, and neither of the two:  test.sh [FILTER]
set -euo pipefail
cd "$(dirname "$0")/.."
started=$SECONDS
step() { echo "== $1"; }

step "lint"
make --no-print-directory lint
step "release server"
swift build -c release --product server
swift build -c release --product config_reader
swift build -c release --product nsgi_tls
step "plugins"
make --no-print-directory plugins
step "apps"
make --no-print-directory apps
swift build --build-tests

# One log of each run, and that of what comes behind them.
log=.build/test.log
quiet='(◇|✔) Test |(◇|✔) Suite|started at|Executed 0 tests'
status=0
: >"$log"
# Python in the server's own program with one loop, and as the worker's program with the other.
run() { # IO PYTHON [OPTION…]
  step "tests (--io $1)"
  set +e
  NSGI_IO=$1 PYTHON_UNDER_TEST=$2 swift test --skip-build "${@:3}" 2>&1 \
    | tee ".build/test-$1.log" | grep -Ev "$quiet"
  local result=${PIPESTATUS[0]}
  set -e
  return "$result"
}
if [ $# -gt 0 ]; then
  run "${NSGI_IO:-auto}" "${PYTHON_UNDER_TEST:-embedded}" --filter "$1"
  exit
fi
# With the second loop only what runs on a loop, and on that which it is told.
looped='^(HostTests|ConformanceTests|IntegrationTests|SwapTests|PythonTests)\.'
once='\.(AppPath|Benchmark|BrokenBody|CGIArgument|Check|Fleet|Guide|Install|Launcher|Loader|Migrate'
once+='|ModuleCheck|New|NewPython|ProgramSignal|Readme|SharedLibrary|Staleness|Table|TinyHost)Tests'
run auto embedded || status=$?
run epoll program --filter "$looped" --skip "$once" || status=$?
cat .build/test-auto.log .build/test-epoll.log >"$log"

# Instructions, allocations and system calls of a request: counted, so a busy machine counts the same.
step "budgets"
if ! bench/budget.sh >.build/budget.log 2>&1; then
  grep 'over the budget' .build/budget.log || tail .build/budget.log
  status=1
fi

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
