#!/usr/bin/env bash
# Makes the tarball that runs where it is unpacked, on machines without Swift, and its checksum:
#   dist.sh [OUT]      (default: .build/dist)
# Prints the path of the tarball. The same sources give the same bytes: times are SOURCE_DATE_EPOCH's, or the
# commit's.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-.build/dist}
mkdir -p "$out"
out=$(cd "$out" && pwd)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
name=nsgi-server-$(packaging/version.sh)-linux-$(uname -m)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Laid out below the folder; units name the place that such a tree has by custom.
packaging/stage.sh /opt/nsgi-server "$work" >/dev/null
mv "$work/opt/nsgi-server" "$work/$name"
cp packaging/dist-readme.md "$work/$name/README.md"
cp LICENSE "$work/$name/"
packaging/sbom.py "$work/$name" >"$work/$name/share/doc/nsgi-server/sbom.spdx.json"
tar -C "$work" --sort=name --format=gnu --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
  --mode=u=rwX,go=rX -c "$name" | gzip -9n >"$out/$name.tar.gz"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "$out/$name.tar.gz"
