#!/usr/bin/env bash
# Builds the references, the load generator and the peers' apps to .build/bench/bin. What lacks its library is
# left out, and named.
set -euo pipefail
cd "$(dirname "$0")"
out=../.build/bench/bin
mkdir -p "$out"
flags=(-std=gnu11 -O2 -Wall -Wextra)
compile() { ${CC:-cc} "${flags[@]}" "$@"; }
optional() { # NAME COMMAND…
  local name=$1
  shift
  "$@" 2>/dev/null || echo "bench: $name left out" >&2
}

compile -o "$out/gwload" load/*.c
compile -o "$out/openload" openload/*.c load/requests.c load/responses.c load/histogram.c load/address.c
for name in limit_http limit_gw limit_cgi; do compile -o "$out/$name" "reference/$name.c"; done
compile -o "$out/wsload" wsload/wsload.c load/histogram.c load/address.c
compile -shared -fPIC -o "$out/counter.so" counter.c
compile -shared -fPIC -I ../Sources/CNSGI/include -o "$out/room.so" room.c
optional limit_uring compile -o "$out/limit_uring" reference/limit_uring.c -luring
optional limit_h2 compile -o "$out/limit_h2" reference/limit_h2.c -lnghttp2
optional limit_ws compile -o "$out/limit_ws" reference/limit_ws.c -lcrypto
optional limit_tls compile -o "$out/limit_tls" reference/limit_tls.c -lssl -lcrypto

# Apps of peers, where the peer is installed.
if [ -e /usr/include/fcgiapp.h ]; then
  optional fcgi_hello compile -o "$out/fcgi_hello" peers/fcgi_hello.c -lfcgi
fi
if [ -e /usr/include/kore/kore.h ]; then
  optional kore_hello.so compile -w -shared -fPIC -o "$out/kore_hello.so" peers/kore_hello.c
fi
if command -v uwsgi >/dev/null; then
  uwsgi --dot-h >"$out/uwsgi.h" 2>/dev/null
  mapfile -t defines < <(uwsgi --cflags 2>/dev/null | tail -1 | tr ' ' '\n' | grep -E '^-[DI]')
  optional uwsgi_hello.so compile -w -shared -fPIC "${defines[@]}" -I"$out" -o "$out/uwsgi_hello.so" \
    peers/uwsgi_hello.c
fi
