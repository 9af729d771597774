#!/usr/bin/env bash
# Builds the references and the generator, then measures: run.sh [--quick] [--rounds N] … (run.py --help).
# PEERS=1 installs the peers first. The server (make build) and the apps (make apps) must be there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/install.sh" tools
if [ "${PEERS:-}" ]; then "$here/install.sh" peers; fi
"$here/build.sh"
ulimit -n "$(ulimit -Hn)"
exec python3 "$here/run.py" "$@"
