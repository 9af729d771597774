#!/usr/bin/env python3
"""Prints the bill of materials of a staged tree as SPDX 2.3 JSON:  sbom.py TREE

Names what is inside the binaries, with licences, and every file with its checksum. Times are SOURCE_DATE_EPOCH's.
"""
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


def said(*command: str) -> str:
  return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def swift_log() -> str:
  """The version of swift-log that was built in."""
  resolved = json.loads((HERE.parent / "Package.resolved").read_text())
  return next(pin["state"]["version"] for pin in resolved["pins"] if pin["identity"] == "swift-log")


def debian(package: str) -> str:
  """The version of a Debian package that an archive came from."""
  try:
    return said("dpkg-query", "-W", "-f", "${Version}", package)
  except (OSError, subprocess.CalledProcessError):
    return "NOASSERTION"


def owner(archive: str) -> str:
  """Version of the package that an archive of gcc or the system belongs to."""
  try:
    path = os.path.realpath(said("gcc", f"-print-file-name={archive}"))
    return debian(said("dpkg-query", "-S", path).split(": ")[0])
  except (OSError, subprocess.CalledProcessError):
    return "NOASSERTION"


def main(tree: pathlib.Path):
  version = said(str(HERE / "version.sh"))
  epoch = os.environ.get("SOURCE_DATE_EPOCH") or said("git", "-C", str(HERE), "log", "-1", "--format=%ct")
  swift = re.search(r"Swift version (\S+)", said("swift", "--version"))
  materials = [
    ("nsgi-server", version, "Apache-2.0", "NOASSERTION"),
    ("swift-runtime", swift[1] if swift else "NOASSERTION", "Apache-2.0 WITH Swift-exception",
     "https://github.com/swiftlang/swift"),
    ("swift-corelibs-libdispatch", swift[1] if swift else "NOASSERTION", "Apache-2.0 WITH Swift-exception",
     "https://github.com/swiftlang/swift-corelibs-libdispatch"),
    ("swift-log", swift_log(), "Apache-2.0", "https://github.com/apple/swift-log"),
    ("libstdc++", owner("libstdc++.a"), "GPL-3.0-or-later WITH GCC-exception-3.1", "https://gcc.gnu.org"),
    ("libffi", owner("libffi.a"), "MIT", "https://sourceware.org/libffi"),
    ("libyaml", owner("libyaml.a"), "MIT", "https://github.com/yaml/libyaml"),
    ("expat", owner("libexpat.a"), "MIT", "https://libexpat.github.io"),
  ]
  packages = [{
    "SPDXID": f"SPDXRef-{name.replace('+', 'x')}", "name": name, "versionInfo": release,
    "downloadLocation": place, "filesAnalyzed": False, "licenseConcluded": licence,
    "licenseDeclared": licence, "copyrightText": "NOASSERTION",
  } for name, release, licence, place in materials]
  files, whole = [], hashlib.sha256()
  # Links lead to files that are listed; DEBIAN is a package's own data.
  paths = (path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
  for path in sorted(path for path in paths if path.name != "sbom.spdx.json" and "DEBIAN" not in path.parts):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    name = path.relative_to(tree).as_posix()
    whole.update(f"{digest} {name}\n".encode())
    files.append({
      "SPDXID": f"SPDXRef-File-{len(files)}", "fileName": f"./{name}",
      "checksums": [{"algorithm": "SHA256", "checksumValue": digest},
                    {"algorithm": "SHA1", "checksumValue": hashlib.sha1(path.read_bytes()).hexdigest()}],
      "licenseConcluded": "Apache-2.0", "copyrightText": "NOASSERTION"})
  relations = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                "relatedSpdxElement": "SPDXRef-nsgi-server"}]
  relations += [{"spdxElementId": "SPDXRef-nsgi-server", "relationshipType": "STATIC_LINK",
                 "relatedSpdxElement": package["SPDXID"]} for package in packages[1:]]
  relations += [{"spdxElementId": "SPDXRef-nsgi-server", "relationshipType": "CONTAINS",
                 "relatedSpdxElement": file["SPDXID"]} for file in files]
  when = datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc)
  print(json.dumps({
    "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
    "name": f"nsgi-server-{version}",
    "documentNamespace": f"https://spdx.org/spdxdocs/nsgi-server-{version}-{whole.hexdigest()}",
    "creationInfo": {"created": f"{when:%Y-%m-%dT%H:%M:%SZ}", "creators": ["Tool: packaging/sbom.py"]},
    "packages": packages, "files": files, "relationships": relations,
  }, indent=1))


if __name__ == "__main__":
  if len(sys.argv) != 2: raise SystemExit("usage: sbom.py TREE")
  main(pathlib.Path(sys.argv[1]))
