#!/bin/bash
# Runs the libFuzzer targets of the codecs (HTTP/2 and WebSocket among them), of CGI arguments, and of what
# workers say to their master. `oracle` compares HTTP/2 with libnghttp2, a million times if it has a minute:
# fuzz.sh [TARGET|all] [SECONDS]      (all targets, 60 s each)
# TARGET is the name of a folder in Tests/Fuzz/corpus, and of a file FuzzTARGET.swift whatever its case.
# An input that breaks an invariant is left in .build/fuzz/; put it into the corpus: `make test` replays that.
# Inputs that reach new code gather in .build/fuzz/corpus; `fuzz.sh TARGET merge` takes the useful ones over.
set -euo pipefail
cd "$(dirname "$0")/../.."
# Swift's own report of a crash would wait for a person.
export SWIFT_BACKTRACE=enable=no
out=.build/fuzz
mkdir -p $out
common="-O -swift-version 6 -parse-as-library -sanitize=address"

# What the package manager makes of a resource that is embedded in code.
embed() {
  echo "enum PackageResources { static let $(basename "$1" | tr . _): [UInt8] = ["
  od -An -v -tu1 "$1" | sed 's/^ *//; s/  */,/g; s/$/,/'
  echo "] }"
}

build() {
  # Only the server's own modules steer the fuzzer by their coverage. Config imports Control.
  for module in Wire Control Config; do
    mapfile -t files < <(find Sources/$module -name '*.swift')
    if [ "$module" = Config ]; then
      embed Sources/Config/UWSGI/options.tsv >$out/resources.swift
      files+=($out/resources.swift)
    fi
    # The oracle looks at parts of Wire that it does not show.
    swiftc $common -sanitize=fuzzer -enable-testing -wmo -I $out -module-name $module \
      -emit-module -emit-module-path $out/$module.swiftmodule -c "${files[@]}" -o $out/$module.o
  done
  mapfile -t support < <(find Tests/Support -name '*.swift')
  swiftc $common -wmo -I $out -module-name Support -emit-module -emit-module-path $out/Support.swiftmodule \
    -c "${support[@]}" -o $out/Support.o
}

fuzz() {
  local target=$1 seconds=$2 source corpus=$out/corpus/$1 extra=() most
  source=$(find Tests/Fuzz -iname "Fuzz$target.swift")
  [ -n "$source" ] || { echo "no Tests/Fuzz/Fuzz*.swift for $target" >&2; exit 1; }
  mkdir -p "$corpus"
  if [ "$target" = oracle ]; then
    gcc -O2 -g -Wall -Wextra -c Tests/Fuzz/oracle/nghttp2_oracle.c -o $out/nghttp2_oracle.o
    extra=(-I Tests/Fuzz/oracle $out/nghttp2_oracle.o -lnghttp2)
  fi
  swiftc $common -sanitize=fuzzer -I $out "${extra[@]}" "$source" $out/{Support,Wire,Config,Control}.o \
    -o "$out/$target"
  if [ "$seconds" = merge ]; then
    "$out/$target" -set_cover_merge=1 "Tests/Fuzz/corpus/$target" "$corpus"
  else
    most=(-max_total_time="$seconds")
    if [ "$target" = oracle ] && [ "$seconds" -ge 60 ]; then
      most=(-runs=1000000 -max_total_time=$((10 * seconds)))
    fi
    "$out/$target" "${most[@]}" -max_len=1024 -timeout=10 -artifact_prefix="$out/$target-" \
      -print_final_stats=1 "$corpus" "Tests/Fuzz/corpus/$target"
  fi
}

build
if [ "${1:-all}" = all ]; then
  # One on each processor: compiling them takes longer than a short run.
  targets=()
  for folder in Tests/Fuzz/corpus/*/; do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do sleep 0.2; done
    fuzz "$(basename "$folder")" "${2:-60}" &
    targets+=($!)
  done
  for target in "${targets[@]}"; do wait "$target"; done
else
  fuzz "$1" "${2:-60}"
fi
