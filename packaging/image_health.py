#!/usr/bin/env python3
"""Adds to an image how an engine sees that it is well:  image_health.py LAYOUT COMMAND...

OCI has no word for that; engines read Docker's, `Healthcheck`, in the configuration of the image. Blobs have the
name of their contents, so that the manifest and the index change with it.
"""
import hashlib
import json
import pathlib
import sys


def main(layout: pathlib.Path, command: list[str]):
  def path(descriptor: dict) -> pathlib.Path: return layout / "blobs" / descriptor["digest"].replace(":", "/")

  def replace(descriptor: dict, value: dict):
    """Writes a blob anew, and lets what names it name the new one."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
    path(descriptor).unlink()
    descriptor.update(digest="sha256:" + hashlib.sha256(text).hexdigest(), size=len(text))
    path(descriptor).write_bytes(text)

  index = json.loads((layout / "index.json").read_text())
  (entry,) = index["manifests"]
  manifest = json.loads(path(entry).read_text())
  config = json.loads(path(manifest["config"]).read_text())
  second = 1_000_000_000
  config["config"]["Healthcheck"] = {
    "Test": ["CMD", *command], "Interval": 30 * second, "Timeout": 10 * second, "StartPeriod": 30 * second}
  replace(manifest["config"], config)
  replace(entry, manifest)
  (layout / "index.json").write_text(json.dumps(index, separators=(",", ":"), sort_keys=True))


if __name__ == "__main__":
  if len(sys.argv) < 3: raise SystemExit("usage: image_health.py LAYOUT COMMAND...")
  main(pathlib.Path(sys.argv[1]), sys.argv[2:])
