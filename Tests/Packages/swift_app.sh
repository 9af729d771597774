#!/usr/bin/env bash
# Builds the Swift template for machines without Swift:  swift_app.sh static|shared FOLDER
# static: with the runtime inside. shared: with the shared libraries of the runtime beside it.
set -euo pipefail
kind=$1 folder=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$folder"
[ ! "$folder/my_app.so" -nt "$root/templates/swift/Package.swift" ] || exit 0
work=$root/.build/packages-swift/work
rm -rf "$work" && mkdir -p "$work"
cp -RL "$root/templates/swift/." "$work"
case $kind in
static)
  make -s -C "$work" STATIC=yes
  cp "$work/my_app.so" "$folder/"
  ;;
shared)
  make -s -C "$work" STATIC=no
  cp "$work/my_app.so" "$folder/"
  runtime=$(dirname "$(readlink -f "$(command -v swift)")")/../lib/swift/linux
  cp "$runtime"/lib{swift*,dispatch,BlocksRuntime}.so "$folder/"
  ;;
esac
