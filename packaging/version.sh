#!/usr/bin/env bash
# Prints the version of the project, which stands in one place: `Program.version`.
set -euo pipefail
sed -n 's/.*static let version: StaticString = "\([0-9][0-9A-Za-z.+-]*\)"$/\1/p' \
  "$(dirname "$0")/../Sources/Config/Settings/Program.swift" | grep . # without a line, this fails
