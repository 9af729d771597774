"""What a bill of materials (SPDX 2.3) has to say, in whichever package it lies."""
import hashlib
import json
import pathlib
import subprocess
import unittest

from roots import PROJECT

# What is inside the binaries beside the server's own code.
INSIDE = {"swift-runtime", "swift-corelibs-libdispatch", "swift-log", "libstdc++", "libffi", "libyaml",
          "expat"}
LICENCE = r"^(Apache-2\.0|MIT|GPL-3\.0-or-later WITH GCC-exception-3\.1)\b"


def version() -> str:
  """The version of the project."""
  said = subprocess.run([PROJECT / "packaging/version.sh"], check=True, capture_output=True, text=True)
  return said.stdout.strip()


def below(tree: pathlib.Path) -> dict[str, bytes]:
  """The files below a folder, without links, by their paths there."""
  found = (path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
  return {path.relative_to(tree).as_posix(): path.read_bytes() for path in found}


def hold(test: unittest.TestCase, text: bytes, release: str, files: dict[str, bytes]):
  """Holds one against the version of its package, and against the package's other files."""
  bill = json.loads(text)
  test.assertEqual((bill["spdxVersion"], bill["name"]), ("SPDX-2.3", f"nsgi-server-{release}"))
  own, *inside = bill["packages"]
  test.assertEqual((own["name"], own["versionInfo"]), ("nsgi-server", release))
  test.assertEqual({package["name"] for package in inside}, INSIDE)
  for package in (own, *inside):
    for key in ("licenseDeclared", "licenseConcluded"):
      test.assertRegex(package[key], LICENCE, package["name"])
  listed = {entry["fileName"]: entry["checksums"][0]["checksumValue"] for entry in bill["files"]}
  test.assertEqual(listed, {f"./{name}": hashlib.sha256(data).hexdigest() for name, data in files.items()})
