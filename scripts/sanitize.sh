#!/usr/bin/env bash
# Runs the host and integration tests under a sanitizer, the server as a process included; with that of
# addresses also those of plugins, which are instrumented then, and so are the apps in C, C++ and Swift:
#   scripts/sanitize.sh thread|address [FILTER]
# Ends with 1 when a test fails or a report was written; reports are kept below .build.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:?thread or address}
# What runs at once: tests wait more than they compute, and one after the other in each of these.
shards=('HostTests|ConformanceTests|FFITests' IntegrationTests PythonTests)
[ "$kind" = address ] || shards=('HostTests|ConformanceTests' IntegrationTests)
[ -z "${2:-}" ] || shards=("$2")
place=$PWD/.build/sanitize-$kind
reports=$place/reports
build=(--sanitize="$kind" --scratch-path "$place")

swift build "${build[@]}" --product server
swift build "${build[@]}" --product config_reader
swift build "${build[@]}" --product nsgi_tls
swift build "${build[@]}" --build-tests
if [ "$kind" = address ]; then
  # The runtime is in the server and in the tests, which offer it to the libraries that they load: these must
  # not bring one of their own. So it is with what Swift's compiler and its clang build; gcc has another.
  tools=$(dirname "$(readlink -f "$(command -v swift)")")
  for plugin in python3_plugin ffi_plugin; do swift build "${build[@]}" --product "$plugin"; done
  export APPS_UNDER_TEST=$place/apps COMPILER_UNDER_TEST=$tools/clang
  make --no-print-directory -f apps/Makefile OUT="$APPS_UNDER_TEST" SANITIZE=address \
    CC="$tools/clang" CXX="$tools/clang++" CONFIGURATION=debug BUILD="${build[*]}"
  # Python's own allocator hides from the sanitizer what is freed.
  export PYTHONMALLOC=malloc
else
  # Python itself is not instrumented, and would be full of races; plugins and apps are loaded as they are.
  make --no-print-directory apps plugins
  cp .build/release/lib*_plugin.so "$place/debug/"
fi
rm -rf "$reports"
mkdir -p "$reports"

# A report is written to a file, whichever process has it; the process goes on, so that one run finds all.
# Signals are not the sanitizer's: some tests are about apps that crash.
common="log_path=$reports/report:halt_on_error=0:exitcode=66"
common+=":handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_sigtrap=0"
# The memory of the process is the operating system's when it ends: leaks are for the tests of memory to find.
# Only those of the one in use: tests tell by them which it is.
case $kind in
  thread) export TSAN_OPTIONS="$common:suppressions=$PWD/scripts/tsan.supp" ;;
  address) export ASAN_OPTIONS="$common:detect_leaks=0:detect_stack_use_after_return=1" ;;
esac
# The runtime that prints backtraces reads memory as it likes.
export SWIFT_BACKTRACE=enable=no
export SERVER_UNDER_TEST=$place/debug/server

# A server with a sanitizer is Python's program itself: another program has not its runtime.
skipped='OwnProgramTests|PreloadTests|PreloadSwapTests'
# These are about what `make build` and `make apps` have built.
skipped+='|InstallTests|ReadmeTests'

# A function: the shell would let a bare pipeline in the background, and all that it starts, ignore Ctrl-C.
run() { # SHARD LOG
  swift test "${build[@]}" --ignore-lock --skip-build --no-parallel --filter "$1" --skip "$skipped" \
    2>&1 </dev/null | tee "$2"
}
status=0
runs=()
for shard in "${shards[@]}"; do
  run "$shard" "$place/tests-${#runs[@]}.log" &
  runs+=($!)
done
for run in "${runs[@]}"; do wait "$run" || status=$?; done
# A fault of greenlet's at the end of a process (WORKAROUNDS.md): kept, and not counted.
mkdir -p "$place/known"
for report in "$reports"/report*; do
  if grep -q '^SUMMARY' "$report" 2>/dev/null &&
    ! grep '^SUMMARY' "$report" | grep -qv 'in GreenletGlobals::queue_to_destroy'; then
    mv "$report" "$place/known/"
  fi
done
if compgen -G "$reports/report*" >/dev/null; then
  echo "== reports of the $kind sanitizer in $reports"
  grep -h '^SUMMARY' "$reports"/report* | sed 's/0x[0-9a-f]*//g' | sort | uniq -c | sort -rn
  status=1
fi
exit "$status"
