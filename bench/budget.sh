#!/usr/bin/env bash
# Installs the tools, builds the generator and checks the budgets: budget.sh [--update] [--profile] [NAME…].
# The server (make build) and the apps (make apps) must be there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/install.sh" budget
"$here/build.sh" 2>/dev/null
exec python3 "$here/budget.py" "$@"
