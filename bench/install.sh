#!/usr/bin/env bash
# Makes sure that what the measurements need is installed:
#   bench/install.sh tools|budget|peers|asgi|websocket|front-door
# Debian and its relatives get packages through apt; elsewhere the list is printed. A peer that cannot be
# installed is named and left out.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/.build/bench/venv

. "$root/bench/install_lib.sh"

# FILE-OR-PROGRAM PACKAGE: what has to be there.
need() {
  local thing=$1 package=$2
  case $thing in
  /*) [ ! -e "$thing" ] || return 0 ;;
  *) PATH="$PATH:/usr/sbin:/sbin" command -v "$thing" >/dev/null && return 0 ;;
  esac
  missing+=("$package")
}

# PACKAGE…: into the virtual environment, which has the interpreter that the plugin embeds: the same for all.
python_packages() {
  local python=/usr/bin/python3 package mark
  [ -x "$python" ] || python=python3
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv" ||
    say "no virtual environment: python3-venv is missing"
  for package; do
    mark=$venv/lib/.installed-$package
    [ ! -e "$mark" ] || continue
    if "$venv/bin/pip" install -q 'setuptools<80' "$package" >/dev/null 2>&1; then
      touch "$mark"
    else
      say "$package cannot be installed"
    fi
  done
}

missing=()
need cc gcc
need python3 python3
need taskset util-linux
case ${1:-tools} in
budget)
  need valgrind valgrind
  need strace strace
  need /usr/share/doc/python3-venv python3-venv
  ;;
websocket) need /usr/include/openssl/sha.h libssl-dev ;;
front-door)
  need /usr/include/openssl/ssl.h libssl-dev
  need /usr/include/nghttp2/nghttp2.h libnghttp2-dev
  need h2load nghttp2-client
  need wrk wrk
  need nginx nginx-light
  need openssl openssl
  ;;
peers | tools) need /usr/include/liburing.h liburing-dev ;;
esac
if [ ${#missing[@]} -gt 0 ]; then
  say "installing ${missing[*]}"
  as_root apt-get update -qq >/dev/null 2>&1 || true
  if ! apt_install "${missing[@]}"; then
    say "please install: apt-get install --no-install-recommends ${missing[*]}"
    [ "${1:-tools}" = budget ] && exit 1
  fi
fi
[ "${1:-tools}" != budget ] || python_packages flask
[ "${1:-tools}" != asgi ] || python_packages uvloop httptools uvicorn granian starlette fastapi
[ "${1:-tools}" != websocket ] ||
  python_packages uvloop httptools uvicorn granian websockets picows socketify
[ "${1:-tools}" = peers ] || exit 0

# One by one: a package that this release does not have costs its own rows only.
as_root apt-get update -qq >/dev/null 2>&1 || true
for package in nginx-light lighttpd h2o kore spawn-fcgi libfcgi-dev \
  uwsgi-core uwsgi-plugin-python3 libcap-dev uuid-dev libpcre3-dev \
  python3-venv python3-dev libev-dev; do
  dpkg -s "$package" >/dev/null 2>&1 || apt_install "$package" || say "$package cannot be installed"
done

python_packages flask bjoern fastwsgi granian gunicorn
