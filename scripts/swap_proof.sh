#!/usr/bin/env bash
# The long form of the tests of masters and swaps: so many swaps under load each way, a thousand in a row, a
# minute of killed workers.
#   scripts/swap_proof.sh [SWAPS]            the release server
#   scripts/swap_proof.sh SWAPS address      the ledger and the killing, with a server built with a sanitizer
set -euo pipefail
cd "$(dirname "$0")/.."
export SWAPS=${1:-200}
kind=${2:-}
filter=SwapTests

if [[ -n $kind ]]; then
  place=$PWD/.build/sanitize-$kind
  reports=$place/reports
  swift build --sanitize="$kind" --scratch-path "$place" --product server
  rm -rf "$reports"
  mkdir -p "$reports"
  options="log_path=$reports/report:halt_on_error=0:exitcode=66:handle_segv=0:handle_abort=0"
  # Freed memory is kept only so long that the server's own does not drown in it.
  export ASAN_OPTIONS="$options:detect_leaks=0:detect_stack_use_after_return=1:quarantine_size_mb=4"
  export TSAN_OPTIONS="$options:suppressions=$PWD/scripts/tsan.supp"
  export SERVER_UNDER_TEST=$place/debug/server
  filter='SwapTests.Swaps/(Ledger|Chaos)Tests'
else
  swift build -c release --product server
  swift build -c release --product ffi_plugin
  swift build -c release --product config_reader
  swift build -c release --product nsgi_tls
fi

swift build --build-tests
status=0
swift test --skip-build --filter "$filter" || status=$?
if [[ -n $kind ]] && compgen -G "$reports/report*" >/dev/null; then
  echo "== reports of the $kind sanitizer in $reports"
  grep -h '^SUMMARY' "$reports"/report* | sed 's/0x[0-9a-f]*//g' | sort | uniq -c | sort -rn
  status=1
fi
exit "$status"
