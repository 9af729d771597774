#!/usr/bin/env bash
# Builds a clone of HEAD twice from nothing, and compares what is delivered byte by byte: the tarball and the
# wheel, which have everything that the other packages are made of. Takes as long as two builds.
# Both have the same path, which compilers may write into what they make. SwiftPM's dependency comes from the
# checkout here.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -d .build/checkouts/swift-log ] || swift package resolve
work=$(mktemp -d "$(mkdir -p .build && cd .build && pwd)/reproduce-XXXXXX")
trap 'rm -rf "$work"' EXIT
git clone -q --bare . "$work/project"
git clone -q --bare --no-local .build/checkouts/swift-log "$work/mirror/apple/swift-log"
export HOME=$work/home
mkdir -p "$HOME"
git config --global "url.$work/mirror/.insteadOf" https://github.com/
git config --global --add safe.directory '*'

for round in first second; do
  rm -rf "$work/app"
  git clone -q "$work/project" "$work/app"
  echo "the $round build"
  make -C "$work/app" dist wheel >"$work/build.log" 2>&1 || { tail -40 "$work/build.log" >&2; exit 1; }
  mkdir "$work/$round"
  mv "$work"/app/.build/dist/*.tar.gz "$work"/app/.build/wheel/*.whl "$work/$round/"
done

status=0
for file in "$work"/first/*; do
  name=$(basename "$file")
  if cmp -s "$file" "$work/second/$name"; then
    echo "the same bytes twice: $name"
    continue
  fi
  status=1
  echo "$name differs:"
  for round in first second; do
    mkdir -p "$work/in/$name/$round"
    case $name in
    *.whl) (cd "$work/in/$name/$round" && /usr/bin/python3 -m zipfile -e "$work/$round/$name" .) ;;
    *) tar -C "$work/in/$name/$round" -xzf "$work/$round/$name" ;;
    esac
  done
  (cd "$work/in/$name" && diff -rq first second) || true
done
exit "$status"
