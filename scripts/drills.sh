#!/usr/bin/env bash
# Every drill of masters, workers and swaps with real processes, once on each event loop, then random walks
# through the master's decisions, a million events of them.
#   scripts/drills.sh [FILTER]      FILTER: a regular expression for the names of tests
set -euo pipefail
cd "$(dirname "$0")/.."
swift build -c release --product server
swift build -c release --product ffi_plugin
swift build -c release --product config_reader
swift build -c release --product nsgi_tls
swift build --build-tests
status=0
for loop in epoll auto; do
  echo "== event loop: $loop"
  NSGI_IO=$loop swift test --skip-build --filter "${1:-SwapTests.Swaps}" || status=1
done
[[ -n ${1:-} ]] || WALKS=300 swift test --skip-build --filter ReleaseWalkTests || status=1
exit "$status"
