"""The images, run from their unpacked roots: as another user, with a read-only root: `make test-packages`."""
import hashlib
import json
import pathlib
import subprocess
import tempfile
import unittest

from roots import PROJECT

MIB = 1 << 20


class ImageTest(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.folder = tempfile.TemporaryDirectory()
    cls.out = pathlib.Path(cls.folder.name)
    cls.out.chmod(0o755)
    subprocess.run([PROJECT / "packaging/image.sh", cls.out], check=True, stdout=subprocess.DEVNULL,
                   timeout=1800)

  @classmethod
  def tearDownClass(cls):
    cls.folder.cleanup()

  def unpack(self, name: str) -> tuple[pathlib.Path, dict]:
    """The root of an image, and its configuration."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=self.out))
    folder.chmod(0o755)
    layout, bundle = folder / "layout", folder / "bundle"
    layout.mkdir()
    subprocess.run(["tar", "-C", layout, "-xf", self.out / f"{name}.tar"], check=True)
    version = subprocess.run([PROJECT / "packaging/version.sh"], check=True, capture_output=True, text=True)
    image = f"{layout}:{version.stdout.strip()}"
    subprocess.run(["umoci", "unpack", "--image", image, bundle], check=True, capture_output=True)
    index = json.loads((layout / "index.json").read_text())
    def blob(digest): return json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())
    return bundle / "rootfs", blob(blob(index["manifests"][0]["digest"])["config"]["digest"])["config"]

  def serve(self, root: pathlib.Path, config: dict, command: list[str], path: str = "/") -> str:
    """What it answers: started as the image says, the root read-only but for a tmpfs at /tmp; and what its
    HEALTHCHECK says while it serves."""
    kind, *check = config["Healthcheck"]["Test"]
    self.assertEqual(kind, "CMD")
    user = config["User"].split(":")[0]
    words = " ".join(f"'{word}'" for word in config["Entrypoint"] + command)
    script = f"""set -e
      ip link set lo up
      mount --bind {root} {root}; mount -t proc proc {root}/proc; mount --rbind /dev {root}/dev
      mount -t tmpfs -o mode=1777 tmpfs {root}/tmp; mount -o remount,bind,ro {root}
      chroot --userspec={config["User"]} {root} {words} 2>&1 | sed 's/^/log: /' >&2 &
      for i in $(seq 200); do curl -s http://127.0.0.1:8080{path} && break; sleep 0.05; done
      chroot --userspec={config["User"]} {root} {" ".join(check)} >/dev/null || exit 4
      # What the engine does to stop it: its STOPSIGNAL, to the process of the entry.
      set -- $(ps -o pid= --ppid 1 -C nsgi-server); kill -TERM $1
      for i in $(seq 100); do ps -C nsgi-server >/dev/null || exit 0; sleep 0.05; done; exit 3"""
    done = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc",
                           "/bin/bash", "-c", script], capture_output=True, text=True, timeout=60)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual((config["StopSignal"], user), ("SIGTERM", "10001"))
    return done.stdout

  def test_same_bytes_twice(self):
    again = pathlib.Path(tempfile.mkdtemp(dir=self.out))
    command = [PROJECT / "packaging/image.sh", again]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=1800)
    for name in ("nsgi-server.tar", "nsgi-server-python3.tar"):
      self.assertEqual((self.out / name).read_bytes(), (again / name).read_bytes(), name)

  def test_small(self):
    self.assertLess((self.out / "nsgi-server.tar").stat().st_size, 60 * MIB)
    root, config = self.unpack("nsgi-server")
    self.assertFalse((root / "bin/sh").exists())
    self.assertEqual(self.serve(root, config, config["Cmd"]), "Hello World!\n")

  def test_bill_of_materials(self):
    root, _ = self.unpack("nsgi-server")
    bill = json.loads((self.out / "nsgi-server.spdx.json").read_text())
    self.assertIn("./usr/bin/nsgi-server", [entry["fileName"] for entry in bill["files"]])
    for entry in bill["files"]:
      found = hashlib.sha256((root / entry["fileName"]).read_bytes()).hexdigest()
      self.assertEqual(found, entry["checksums"][0]["checksumValue"], entry["fileName"])

  def test_python(self):
    root, config = self.unpack("nsgi-server-python3")
    (root / "srv").mkdir(exist_ok=True)
    (root / "srv/hello.py").write_text("def application(environ, start_response):\n  import ssl\n"
                                       "  start_response('200 OK', [])\n  return [b'Python\\n']\n")
    command = ["--pythonpath", "/srv", "-w", "hello", "--http-socket", ":8080", "-p", "1"]
    said = self.serve(root, config, command)
    self.assertEqual(said, "Python\n")

  def test_without_a_place_for_copies_it_says_so(self):
    root, config = self.unpack("nsgi-server")
    script = f"""mount --bind {root} {root}; mount -t proc proc {root}/proc
      mount -o remount,bind,ro {root}
      exec chroot --userspec=10001:10001 {root} {" ".join(config["Entrypoint"] + config["Cmd"])}"""
    done = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child",
                           "/bin/bash", "-c", script], capture_output=True, text=True, timeout=60)
    self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
    self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
    self.assertIn("--runtime-dir", done.stderr)


if __name__ == "__main__":
  unittest.main(verbosity=2)
