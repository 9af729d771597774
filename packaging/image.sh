#!/usr/bin/env bash
# Makes the images as OCI archives, without a daemon:  image.sh [OUT]      (default: .build/image)
#   nsgi-server.tar           the server for native applications and functions of C, without a shell
#   nsgi-server-python3.tar   and Debian's Python
#   nsgi-server.spdx.json     the bill of materials of what is not Debian's in them
# The same sources and the same mirror give the same bytes: times are SOURCE_DATE_EPOCH's, or the commit's.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-.build/image}
mkdir -p "$out"
out=$(cd "$out" && pwd)
version=$(packaging/version.sh)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
created=$(date -uIseconds -d "@$SOURCE_DATE_EPOCH" | sed 's/+00:00/Z/')
work=$(mktemp -d -p "$out")
trap 'rm -rf "$work"' EXIT
user=10001

# Files of Debian's packages, none of them configured: there is nothing that a configuration would be for.
base() { # TAR PACKAGES
  mmdebstrap --quiet --mode=root --variant=extract --include="$2" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/i18n/*' --dpkgopt='path-exclude=/usr/lib/*/gconv/*' \
    bookworm "$work/base" http://deb.debian.org/debian
  rm -rf "$work/base"/var/{cache,lib/apt,log}/* "$work/base/dev" "$work/base"/usr/share/{doc,i18n,locale,man}/??
  mkdir -p "$work/base/dev"
  printf 'root:x:0:0:root:/root:/usr/sbin/nologin\nnsgi-server:x:%s:%s::/:/usr/sbin/nologin\n' $user $user >"$work/base/etc/passwd"
  printf 'root:x:0:\nnsgi-server:x:%s:\n' $user >"$work/base/etc/group"
  pack "$work/base" "$1"
  rm -rf "$work/base"
}

pack() { # FOLDER TAR
  tar -C "$1" --sort=name --format=gnu --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -cf "$2" .
}

image() { # NAME BASE-TAR
  local layout=$work/$1
  umoci init --layout "$layout"
  umoci new --image "$layout:$version"
  umoci raw add-layer --image "$layout:$version" --history.created "$created" --history.created_by "Debian" "$2"
  umoci raw add-layer --image "$layout:$version" --history.created "$created" --history.created_by "nsgi-server" "$work/own.tar"
  umoci config --image "$layout:$version" --no-history --created "$created" --architecture amd64 --os linux \
    --config.user "$user:$user" --config.workingdir / --config.stopsignal SIGTERM --config.exposedports 8080/tcp \
    --config.env PATH=/usr/local/bin:/usr/bin --config.entrypoint /usr/bin/nsgi-server \
    --config.entrypoint --control-socket --config.entrypoint /tmp/control.sock \
    --config.cmd --app --config.cmd /usr/lib/nsgi-server/apps/hello_world_app.so \
    --config.cmd --http-socket --config.cmd :8080 \
    --config.label org.opencontainers.image.version="$version" \
    --config.label org.opencontainers.image.licenses=Apache-2.0
  umoci gc --layout "$layout"
  packaging/image_health.py "$layout" /usr/bin/nsgi-server ctl --control-socket /tmp/control.sock status
  pack "$layout" "$out/$1.tar"
  echo "$out/$1.tar $(($(stat -c %s "$out/$1.tar") / 1048576)) MiB"
}

packaging/stage.sh /usr "$work/own" >/dev/null
rm -rf "$work"/own/usr/share/{doc,man,bash-completion,zsh,fish,pkgconfig} "$work"/own/usr/{include,lib/systemd}
packaging/sbom.py "$work/own" >"$out/nsgi-server.spdx.json"
pack "$work/own" "$work/own.tar"
# What the server loads when it is asked for: OpenSSL for TLS, zlib for compressed WebSockets, passwords of rules.
asked=libssl3,zlib1g,libcrypt1
base "$work/small.tar" "libc6,libgcc-s1,base-files,$asked"
image nsgi-server "$work/small.tar"
base "$work/python.tar" "libc6,libgcc-s1,base-files,$asked,ca-certificates,python3,libpython3.11"
image nsgi-server-python3 "$work/python.tar"
(cd "$out" && sha256sum ./*.tar ./*.spdx.json >SHA256SUMS)
