#!/usr/bin/env bash
# Installs what `make bench-wsgi` compares:  bench/wsgi/install.sh [plots]
# Web servers, headers and Apache from Debian, the rest from PyPI into .build/bench-wsgi/venv, with the
# versions of requirements.txt. Why one could not be had is in .build/bench-wsgi/failed/NAME, and in the
# results. With `plots` only what draws the page is installed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
place=$root/.build/bench-wsgi
venv=$place/venv
list=$here/requirements.txt
# shellcheck source=bench/install_lib.sh
. "$here/../install_lib.sh"

packages=(lighttpd nginx-light apache2-bin apache2-dev gcc make python3-venv python3-dev libev-dev)
[ "${1:-}" != plots ] || packages=(python3-venv)
install_missing() {
  local missing=() package status
  for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) || true
    [ "$status" = 'install ok installed' ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  as_root apt-get update -qq >/dev/null 2>&1 || true
  for package in "${missing[@]}"; do
    apt_install "$package" || say "$package cannot be installed: apt-get install $package"
  done
}

pins() { sed -nE "s/^([^ #]+) +# $1\$/\\1/p" "$list"; }

# meinheld 1.0.2 asks for a greenlet that CPython 3.11 cannot compile, and works with the one that it can.
extra_of() { [ "$1" != meinheld ] || echo "--no-deps --no-build-isolation"; }

# PIN: into the environment; the reason why not goes into failed/.
install_one() {
  local pin=$1 name=${1%%==*} extra
  local log=$place/log/$name
  read -r -a extra <<<"$(extra_of "$name")"
  if env CPATH="$(greenlet_headers)" "$venv/bin/pip" install -q --disable-pip-version-check -c "$list" \
    "${extra[@]}" "$pin" >"$log" 2>&1; then
    rm -f "$place/failed/$name"
    return 0
  fi
  local why
  why=$(grep -iE 'error' "$log" | grep -vE 'subprocess-exited|metadata-generation|pip' | head -1 |
    cut -c1-200) || true
  echo "pip install $pin failed: ${why:-$(tail -1 "$log")}" | tr -s ' ' >"$place/failed/$name"
  say "$(cat "$place/failed/$name")"
}

greenlet_headers() {
  local header
  header=$(compgen -G "$venv/include/site/python3*/greenlet/greenlet.h" | head -1) || return 0
  dirname "$header"
}

what=(application server plots)
[ "${1:-}" != plots ] || what=(plots)
stamp="${what[*]} $(cksum <"$list")"
[ "$(cat "$place/complete" 2>/dev/null)" != "$stamp" ] || exit 0
case "$(cat "$place/complete" 2>/dev/null)" in "application server plots $(cksum <"$list")") exit 0 ;; esac
install_missing
mkdir -p "$place/failed" "$place/log"
rm -f "$place/complete"
if [ ! -x "$venv/bin/python" ]; then
  python=/usr/bin/python3
  [ -x "$python" ] || python=python3
  "$python" -m venv "$venv"
fi
# The builds of some want setuptools and wheel of before they changed.
"$venv/bin/pip" install -q --disable-pip-version-check 'setuptools==79.0.1' 'wheel==0.45.1' || true
for kind in "${what[@]}"; do
  for pin in $(pins "$kind"); do
    say "$pin"
    install_one "$pin"
  done
done
echo "$stamp" >"$place/complete"
