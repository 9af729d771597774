#!/usr/bin/env bash
# Makes a release of what is committed:  release.sh VERSION
# Writes the version where it stands, and where documents name an image of it, dates the entry of CHANGELOG.md, commits,
# and tags vVERSION. Nothing is pushed.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:-}
fail() { echo "release: $1" >&2; exit 1; }
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || fail "\`$version\` is no version: give one as in 1.2.0"
[ -z "$(git status --porcelain)" ] || fail "something is not committed: commit it first"
git rev-parse -q --verify "refs/tags/v$version" >/dev/null && fail "v$version is there already: choose another version"
grep -q '^## Unreleased$' CHANGELOG.md || fail "CHANGELOG.md has no section \"Unreleased\": say what has changed there"
old=$(packaging/version.sh)
[ "$(printf '%s\n' "$old" "$version" | sort -V | tail -1)" = "$version" ] || fail "$version is before $old, which is the last one"

program=Sources/Config/Settings/Program.swift
sed -i "s|\(StaticString = \"\)$old\"|\1$version\"|; s|nsgi-server/$old|nsgi-server/$version|" "$program"
[ "$(packaging/version.sh)" = "$version" ] || fail "$program has not taken the version"
# What users copy names an image by its tag.
images=(docs/INSTALL.md docs/guides/containers.md docs/deploy/fleet/kubernetes/base/kustomization.yaml)
for file in "${images[@]}"; do
  sed -i -E "s/(nsgi-server(-python3)?(:|, newTag: ))${old//./\\.}/\1$version/g" "$file"
  grep -qE "nsgi-server(-python3)?(:|, newTag: )$version" "$file" || fail "$file names no image of $old: correct its tag"
done
sed -i "s|^## Unreleased\$|## Unreleased\n\n## $version ($(date -u +%Y-%m-%d))|" CHANGELOG.md
git commit -q -m "Release $version" -- "$program" "${images[@]}" CHANGELOG.md
git tag -a "v$version" -m "nsgi-server $version"
echo "v$version is committed and tagged: make dist deb rpm wheel image, make bench-history on a quiet machine," \
  "then git push --follow-tags"
