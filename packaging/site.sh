#!/usr/bin/env bash
# Makes the documentation as a site:  site.sh [OUT]      (default: .build/site)
# mkdocs-material comes from PyPI into an environment below .build. A link that leads nowhere is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-$PWD/.build/site}
place=.build/site-venv
if [ ! -e "$place/complete" ]; then
  /usr/bin/python3 -m venv --clear "$place"
  "$place/bin/pip" install -q --disable-pip-version-check mkdocs-material==9.6.23
  touch "$place/complete"
fi
NO_MKDOCS_2_WARNING=1 "$place/bin/mkdocs" build --quiet --strict --site-dir "$out"
echo "$out"
