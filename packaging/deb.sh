#!/usr/bin/env bash
# Makes the Debian packages out of what was built:  deb.sh [OUT]      (default: .build/deb)
# The same sources give the same bytes: times are SOURCE_DATE_EPOCH's, or the commit's.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-.build/deb}
mkdir -p "$out"
out=$(cd "$out" && pwd)
version=$(packaging/version.sh)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SBOM=$PWD/packaging/sbom.py
export BUILT=${BUILT:-$PWD/.build/release} APPS=${APPS:-$PWD/.build/apps}
work=$out/work/nsgi-server-$version
rm -rf "$out/work" "$out"/*.deb
mkdir -p "$work"
git ls-files -z -co --exclude-standard | tar -c --exclude='packaging/debian' --null --files-from=- | tar -x -C "$work"
cp -R packaging/debian "$work/debian"
printf 'nsgi-server (%s) unstable; urgency=medium\n\n  * See /usr/share/doc/nsgi-server/changelog.gz.\n\n -- %s  %s\n' \
  "$version" "$(sed -n 's/^Maintainer: //p' packaging/debian/control)" "$(date -uRd "@$SOURCE_DATE_EPOCH")" \
  >"$work/debian/changelog"
# Symbolic links of the source tree lead into it; the packages have files.
(cd "$work" && DEB_BUILD_OPTIONS="nocheck noautodbgsym" dpkg-buildpackage -b -us -uc >"$out/build.log" 2>&1) || {
  tail -40 "$out/build.log" >&2
  exit 1
}
mv "$out"/work/*.deb "$out"/work/*.changes "$out"/work/*.buildinfo "$out/"
rm -rf "$out/work"
(cd "$out" && sha256sum *.deb >SHA256SUMS)
ls "$out"/*.deb
