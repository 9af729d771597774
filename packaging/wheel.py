#!/usr/bin/env python3
"""Makes the wheel out of what was built, and its checksum:  wheel.py [OUT]      (default: .build/wheel)

The program goes to the scripts of an environment and the plugins to its lib, so the server finds them as in any
other place. The same sources give the same bytes: times are SOURCE_DATE_EPOCH's, or the commit's.
"""
import base64
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent
# Held by a test: no symbol of a newer C library is used.
TAG = "py3-none-manylinux_2_35_x86_64"


def said(*command: str | os.PathLike) -> str:
  return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def contents(stage: pathlib.Path, version: str) -> dict[str, tuple[bytes, bool]]:
  """Names in the wheel, with what they hold and whether it is a program."""
  info, data = f"nsgi_server-{version}.dist-info", f"nsgi_server-{version}.data"
  found: dict[str, tuple[bytes, bool]] = {}
  def text(name: str, source: pathlib.Path):
    found[name] = (source.read_text().replace("@VERSION@", version).encode(), False)
  for name in ("__init__.py", "__main__.py", "py.typed"): text(f"nsgi_server/{name}", HERE / "wheel/nsgi_server" / name)
  text("nsgi.py", PROJECT / "sdk/python/nsgi.py")
  # A module that is no package has its types in a package of stubs (PEP 561).
  text("nsgi-stubs/__init__.pyi", HERE / "wheel/nsgi.pyi")
  found[f"{data}/scripts/nsgi-server"] = ((stage / "bin/nsgi-server").read_bytes(), True)
  for folder in ("lib/nsgi-server", "share/nsgi", "share/man", "include", "share/bash-completion", "share/zsh",
                 "share/fish"):
    for path in (stage / folder).rglob("*"):
      if path.is_file() and "apps" not in path.parts and path.relative_to(stage).parts[:4] != ("share", "nsgi", "sdk",
                                                                                              "python"):
        found[f"{data}/data/{path.relative_to(stage).as_posix()}"] = (
          path.read_bytes(), bool(path.stat().st_mode & 0o111))
  text(f"{info}/METADATA", HERE / "wheel/METADATA.in")
  text(f"{info}/licenses/LICENSE", PROJECT / "LICENSE")
  found[f"{info}/WHEEL"] = (
    f"Wheel-Version: 1.0\nGenerator: nsgi-server\nRoot-Is-Purelib: false\nTag: {TAG}\n".encode(), False)
  found[f"{info}/sboms/nsgi-server.spdx.json"] = (bill(found, stage.parent / "wheel"), False)
  return found


def bill(found: dict[str, tuple[bytes, bool]], tree: pathlib.Path) -> bytes:
  """The bill of materials of what is in the wheel, by its names there."""
  for name, (content, _) in found.items():
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
  return said(HERE / "sbom.py", tree).encode()


def record(found: dict[str, tuple[bytes, bool]], name: str) -> bytes:
  """RECORD: every file with its digest and length, itself without."""
  rows = []
  for path, (content, _) in sorted(found.items()):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    rows.append(f"{path},sha256={digest},{len(content)}\n")
  return "".join([*rows, f"{name},,\n"]).encode()


def main(out: pathlib.Path):
  version = said(HERE / "version.sh")
  os.environ.setdefault("SOURCE_DATE_EPOCH", said("git", "-C", PROJECT, "log", "-1", "--format=%ct"))
  when = time.gmtime(max(int(os.environ["SOURCE_DATE_EPOCH"]), 315532800))[:6]
  with tempfile.TemporaryDirectory() as folder:
    subprocess.run([HERE / "stage.sh", "/stage", folder], check=True, stdout=subprocess.DEVNULL)
    found = contents(pathlib.Path(folder, "stage"), version)
  name = f"nsgi_server-{version}.dist-info/RECORD"
  found[name] = (record(found, name), False)
  out.mkdir(parents=True, exist_ok=True)
  wheel = out / f"nsgi_server-{version}-{TAG}.whl"
  with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    # The metadata last, as the format recommends.
    for path in sorted(found, key=lambda path: (".dist-info/" in path, path)):
      content, is_program = found[path]
      entry = zipfile.ZipInfo(path, when)
      entry.external_attr = (0o100755 if is_program else 0o100644) << 16
      entry.compress_type = zipfile.ZIP_DEFLATED
      archive.writestr(entry, content)
  (out / "SHA256SUMS").write_text(f"{hashlib.sha256(wheel.read_bytes()).hexdigest()}  {wheel.name}\n")
  print(wheel)


if __name__ == "__main__":
  if len(sys.argv) > 2: raise SystemExit("usage: wheel.py [OUT]")
  main(pathlib.Path(sys.argv[1] if len(sys.argv) == 2 else PROJECT / ".build/wheel").resolve())
