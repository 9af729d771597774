#!/usr/bin/env bash
# Lays what was built out as it is installed:  stage.sh PREFIX [DESTDIR]
# `make install` and every package are made by this.
#   BUILT=DIR      where the server and the plugins are (default: .build/release)
#   APPS=DIR       where the example applications are; the first of them comes along, if it was built
#   STRIP=no       keep the debug information
#   FRONT_GROUP=G  the group that may connect to sockets that systemd holds (default: www-data, Debian's front ends)
#   UNITS=DIR      where units of systemd go (default: PREFIX/lib/systemd/system)
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=${1:?usage: stage.sh PREFIX [DESTDIR]}
[[ $prefix == /* ]] || { echo "stage: PREFIX is $prefix: give an absolute path, such as /usr/local" >&2; exit 1; }
prefix=${prefix%/}
root=${2:-}$prefix
built=${BUILT:-.build/release}
apps=${APPS:-.build/apps}
name=nsgi-server
version=$(packaging/version.sh)
umask 022

command -v patchelf >/dev/null || { echo "stage: patchelf is not installed: use scripts/install.sh install" >&2; exit 1; }
for file in server config_reader libpython3_plugin.so libnsgi_worker.so libffi_plugin.so libnsgi_tls.so; do
  [ -e "$built/$file" ] || { echo "stage: $built/$file is not there: use make build plugins" >&2; exit 1; }
done
if ! problem=$(mkdir -p "$root/bin" 2>&1) || ! [ -w "$root/bin" ]; then
  echo "stage: $root/bin cannot be written to (${problem:-no permission}): choose another PREFIX, or be root" >&2
  exit 1
fi

# Programs and plugins are moved over what is there: a server that runs keeps the file it has.
program() { # FROM TO MODE
  mkdir -p "$(dirname "$2")"
  cp "$1" "$2.new"
  [ "${STRIP:-yes}" = no ] || strip --strip-unneeded --remove-section=.comment "$2.new"
  # SwiftPM has it look for libraries beside itself; it needs none.
  patchelf --remove-rpath --remove-needed libswiftCore.so "$2.new"
  chmod "$3" "$2.new"
  mv "$2.new" "$2"
}
program "$built/server" "$root/bin/$name" 755
program "$built/config_reader" "$root/lib/$name/config_reader" 755
for plugin in python3 ffi; do
  program "$built/lib${plugin}_plugin.so" "$root/lib/$name/${plugin}_plugin.so" 644
done

program "$built/libnsgi_tls.so" "$root/lib/$name/libnsgi_tls.so" 644
program "$built/libnsgi_worker.so" "$root/lib/$name/nsgi_worker.so" 644

[ ! -e "$apps/hello_world_app.so" ] ||
  program "$apps/hello_world_app.so" "$root/lib/$name/apps/hello_world_app.so" 644

put() { # MODE FILE... FOLDER
  local mode=$1 folder=${*: -1}
  mkdir -p "$root/$folder"
  install -m "$mode" "${@:2:$#-2}" "$root/$folder/"
}
put 644 Sources/CNSGI/include/nsgi.h Sources/CNSGI/include/nsgi.hpp include
mkdir -p "$root/share/pkgconfig"
sed "s/@VERSION@/$version/" packaging/nsgi.pc.in >"$root/share/pkgconfig/nsgi.pc"

# What `server new` copies, and the kits alone. Links lead into the tree: their files are copied.
mkdir -p "$root/share/nsgi"
rm -rf "$root/share/nsgi/templates" "$root/share/nsgi/sdk"
tar -c --dereference --hard-dereference --exclude=.build --exclude='*.so' --exclude='*.new' --exclude=Package.resolved \
  --exclude=target --exclude=__pycache__ --exclude=venv templates | tar -x -C "$root/share/nsgi" --no-same-owner
mkdir -p "$root/share/nsgi/sdk"
cp -R sdk/rust sdk/zig sdk/python "$root/share/nsgi/sdk/"
cp -R "$root/share/nsgi/templates/swift/nsgi" "$root/share/nsgi/sdk/swift"
chmod -R u=rwX,go=rX "$root/share/nsgi"

# Pages and completions, out of what this very server says of itself.
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
python3 packaging/manual.py "$root/bin/$name" docs/NSGI.md "$made"
for section in 3 5 8; do put 644 "$made"/man$section/* share/man/man$section; done
mkdir -p "$root"/share/{bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
install -m 644 "$made/$name.bash" "$root/share/bash-completion/completions/$name"
install -m 644 "$made/_$name" "$root/share/zsh/site-functions/_$name"
install -m 644 "$made/$name.fish" "$root/share/fish/vendor_completions.d/$name.fish"

units=${UNITS:-$prefix/lib/systemd/system}
mkdir -p "${2:-}$units"
for unit in packaging/systemd/*; do
  sed "s|@PREFIX@|$prefix|g; s|@FRONT_GROUP@|${FRONT_GROUP:-www-data}|g" "$unit" >"${2:-}$units/$(basename "$unit")"
done
mkdir -p "$root/share/doc/$name"
cp -R README.md CHANGELOG.md docs "$root/share/doc/$name/"
put 644 LICENSE "share/doc/$name"
chmod -R u=rwX,go=rX "$root/share/doc/$name"
echo "$name $version is in $root"
