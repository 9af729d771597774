#!/usr/bin/env bash
# Fuzzes whole servers over real sockets with the Address Sanitizer in them:  server.sh [SECONDS]   (60)
# Ends with 1 when an answer was wrong or a report was written; the seed of each failure is printed.
set -euo pipefail
cd "$(dirname "$0")/../.."
export FUZZ_SECONDS=${1:-60}
place=$PWD/.build/sanitize-address
reports=$place/fuzz-reports
swift build --sanitize=address --scratch-path "$place" --product server 2>&1 |
  grep -v 'Cannot export local symbol'
[ "${BUILT:-}" = tests ] || swift build --build-tests
rm -rf "$reports"
mkdir -p "$reports"
export ASAN_OPTIONS="log_path=$reports/report:detect_leaks=0:detect_stack_use_after_return=1"
export SWIFT_BACKTRACE=enable=no
export SERVER_UNDER_TEST=$place/debug/server
status=0
swift test --skip-build --filter ServerFuzzTests || status=$?
if compgen -G "$reports/report*" >/dev/null; then
  cat "$reports"/report* | head -200
  status=1
fi
exit "$status"
