#!/usr/bin/env bash
# Makes packages for systems with rpm out of what was built:  rpm.sh [OUT]      (default: .build/rpm)
# Debian's rpmbuild makes them. The same sources give the same bytes: times are SOURCE_DATE_EPOCH's, or the commit's.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-.build/rpm}
mkdir -p "$out"
out=$(cd "$out" && pwd)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The front ends' groups have other names on each distribution, and are not there without a front end.
FRONT_GROUP=nsgi-server packaging/stage.sh /usr "$work/stage" >/dev/null
mkdir -p "$work/stage/etc/nsgi-server"
install -m 644 packaging/etc/*.ini "$work/stage/etc/nsgi-server/"
mkdir -p "$work/stage/etc/logrotate.d" "$work/stage/usr/lib/tmpfiles.d"
install -m 644 packaging/debian/nsgi-server.logrotate "$work/stage/etc/logrotate.d/nsgi-server"
install -m 644 packaging/debian/nsgi-server.tmpfiles "$work/stage/usr/lib/tmpfiles.d/nsgi-server.conf"
packaging/sbom.py "$work/stage" >"$work/sbom.json"
mv "$work/sbom.json" "$work/stage/usr/share/doc/nsgi-server/sbom.spdx.json"
rm -f "$out"/*.rpm
rpmbuild -bb --quiet --target x86_64-linux --define "version $(packaging/version.sh)" --define "stage $work/stage" \
  --define "_topdir $work/top" --define "_rpmdir $work/rpms" --define "_buildhost localhost" \
  --define "use_source_date_epoch_as_buildtime 1" --define "clamp_mtime_to_source_date_epoch 1" \
  --define "_binary_payload w9.gzdio" packaging/rpm/nsgi-server.spec >"$out/build.log" 2>&1 || {
  tail -20 "$out/build.log" >&2
  exit 1
}
find "$work/rpms" -name '*.rpm' -exec mv {} "$out/" \;
(cd "$out" && sha256sum ./*.rpm >SHA256SUMS)
ls "$out"/*.rpm
