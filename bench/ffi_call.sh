#!/usr/bin/env bash
# What a call through libffi costs beside a direct one:  bench/ffi_call.sh [CALLS]
set -euo pipefail
cd "$(dirname "$0")/.."
plugin=.build/release/libffi_plugin.so
[ -e "$plugin" ] || { echo "bench: $plugin is missing; use: make plugins" >&2; exit 1; }
mkdir -p .build/bench/bin
program=.build/bench/bin/ffi_call
${CC:-cc} -std=gnu11 -O2 -Wall -Wextra -I Sources/CNSGI/include bench/ffi_call.c -o "$program" -lffi -ldl
exec "$program" "$PWD/$plugin" "$@"
