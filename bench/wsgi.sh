#!/usr/bin/env bash
# Installs the WSGI servers, builds the generator, and compares: wsgi.sh [--check] [--quick] … (--help).
# The server and its plugin (make build plugins) must be there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/wsgi/install.sh"
"$here/build.sh"
ulimit -n "$(ulimit -Hn)"
cd "$here"
exec python3 -m wsgi.run "$@"
