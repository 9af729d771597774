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
crowded=()
: >"$log"
# Python in the server's own program with one loop, and as the worker's program with the other.
run() { # NAME IO PYTHON [OPTION…]
  rm -f ".build/test-$1-swift-testing.xml"
  set +e
  NSGI_IO=$2 PYTHON_UNDER_TEST=$3 swift test --ignore-lock --skip-build \
    --xunit-output ".build/test-$1.xml" "${@:4}" 2>&1 </dev/null \
    | tee ".build/test-$1.log" | grep --line-buffered -Ev "$quiet" | sed -u "s/^/$1: /"
  local result=${PIPESTATUS[0]}
  set -e
  [ "$result" = 0 ] || echo "$1 $2 $3" >>.build/test-failed
  return "$result"
}
# Runs each of a few failed tests once more, by itself: hundreds of servers share the machine in a whole run,
# and what fails only among them is told apart from what is broken. The summary names it, to be mended.
alone() { # NAME IO PYTHON
  local failed
  failed=$(scripts/failed_tests.py ".build/test-$1-swift-testing.xml") || return 1
  while read -r name; do
    step "once more, alone: $name (--io $2)"
    NSGI_IO=$2 PYTHON_UNDER_TEST=$3 swift test --skip-build --filter "^$name\\(" \
      >.build/alone.log 2>&1 </dev/null \
      || { grep -Ev "$quiet" .build/alone.log; return 1; }
    grep -q 'Test run with [1-9]' .build/alone.log || return 1
    crowded+=("$name (--io $2)")
  done <<<"$failed"
}
if [ $# -gt 0 ]; then
  run some "${NSGI_IO:-auto}" "${PYTHON_UNDER_TEST:-embedded}" --filter "$1"
  exit
fi
# With the second loop only what runs on a loop, and on that which it is told.
looped='^(ConformanceTests|IntegrationTests|PythonTests)\.'
once='\.(AppPath|Benchmark|BrokenBody|CGIArgument|Check|Fleet|Guide|Install|Launcher|Loader|Migrate'
once+='|ModuleCheck|New|NewPython|ProgramSignal|Readme|SharedLibrary|Staleness|Table|TinyHost)Tests'
# Few tests run at a time in a process, and most of them wait for what they have started. Those of swaps, and
# those with a worker in the test, run one after the other: beside all the others.
serial='^(SwapTests|HostTests)\.'
others() {
  run auto auto embedded --skip "$serial" || true
  run epoll epoll program --filter "$looped" --skip "$once" || true
}
rows() {
  run serial-auto auto embedded --filter "$serial" || true
  run serial-epoll epoll program --filter "$serial" --skip "$once" || true
}
step "tests"
rm -f .build/test-failed
others &
ways=($!)
rows &
ways+=($!)
# What the fuzzing needs is compiled when a core has nothing else to do.
(
  chrt --idle --pid 0 "$BASHPID"
  swift build --sanitize=address --scratch-path .build/sanitize-address --product server
) >.build/sanitize.log 2>&1 &
prepared=$!
wait "${ways[@]}" || status=1
wait "$prepared" || { tail .build/sanitize.log; status=1; }
if [ -e .build/test-failed ]; then
  while read -r name io python; do alone "$name" "$io" "$python" || status=1; done <.build/test-failed
fi
for name in auto epoll serial-auto serial-epoll; do cat ".build/test-$name.log"; done >"$log"

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
for name in "${crowded[@]}"; do echo "failed in the whole run and passed alone, to be mended: $name"; done
echo "$((SECONDS - started)) seconds; the whole log is in $log"
exit "$status"
