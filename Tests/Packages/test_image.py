"""The images, run from their unpacked roots: as another user, with a read-only root: `make test-packages`."""
import hashlib
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import bills
import containers
from roots import PROJECT, Root

MIB = 1 << 20
FILES = PROJECT / "packaging/image"
# A project of Django, as small as they come.
DJANGO = {
  "requirements.txt": "Django==5.2.19\n",
  "mysite/__init__.py": "",
  "mysite/settings.py": "SECRET_KEY = 'x'\nROOT_URLCONF = 'mysite.urls'\nALLOWED_HOSTS = ['127.0.0.1']\n",
  "mysite/urls.py": "import sys\nfrom django.http import HttpResponse\nfrom django.urls import path\n"
                    "urlpatterns = [path('', lambda request: HttpResponse(f'Django in {sys.prefix}\\n'))]\n",
  "mysite/wsgi.py": "import os\nfrom django.core.wsgi import get_wsgi_application\n"
                    "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n"
                    "application = get_wsgi_application()\n",
  "static/style.css": "body {}\n",
}


class Unpacked(Root):
  """The root of an image that is in a folder already."""

  def __init__(self, path: pathlib.Path):
    self.path = path


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
    # chroot leaves the working directory, and the small image, which has no shell, has none of its own.
    place = config.get("WorkingDir", "/")
    if place != "/": words = f'/bin/sh -c "cd {place} && exec {words}"'
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

  def test_small_has_what_the_server_loads_when_it_is_asked_for(self):
    root, _ = self.unpack("nsgi-server")
    linker = "/lib64/ld-linux-x86-64.so.2"
    command = ["chroot", root, linker, "--list", "/usr/lib/nsgi-server/libnsgi_tls.so"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    self.assertIn("libssl.so.3 => /", said)
    for name in ("libz.so.1", "libcrypt.so.1"):
      self.assertTrue(list(root.glob(f"usr/lib/*/{name}")) + list(root.glob(f"lib/*/{name}")), name)

  def base(self, name: str) -> containers.Image:
    """What stands for an image that a Containerfile begins with."""
    if name.startswith("nsgi-server:"):
      path, config = self.unpack("nsgi-server")
      return Unpacked(path), config
    if name == "debian:bookworm-slim": root = Root("bookworm")
    else:
      # Debian's Python where the image has its own.
      self.assertEqual(name, "python:3.13-slim")
      root = Root("trixie", "python3", "python3-venv")
      (root.path / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    self.addCleanup(shutil.rmtree, root.path, ignore_errors=True)
    return root, {}

  def project(self, files: dict[str, str]) -> pathlib.Path:
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    for name, text in files.items():
      path = pathlib.Path(folder.name, name)
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(text)
    return pathlib.Path(folder.name)

  def test_containerfile(self):
    """Of the tarballs that lie there, it takes the one of its version."""
    context = self.project({"nsgi-server-0.0.1-linux-x86_64.tar.gz": "another\n"})
    subprocess.run([PROJECT / "packaging/dist.sh", context], check=True, stdout=subprocess.DEVNULL)
    root, config = containers.build(FILES / "Containerfile", context, self.base, VERSION=bills.version())
    self.assertEqual(config["Cmd"], ["--help"])
    root.copy(".build/apps/hello_world_app.so", "/srv/hello.so")
    said = self.serve(root.path, config, ["--app", "/srv/hello.so", "--http-socket", ":8080"])
    self.assertEqual(said, "Hello World!\n")

  def test_containerfile_of_an_application_in_c(self):
    context = self.project({}) / "my_app"
    new = [PROJECT / ".build/release/server", "new", "my_app", "--language", "c", "--directory", context]
    subprocess.run(new, check=True, stdout=subprocess.DEVNULL, cwd=PROJECT)
    root, config = containers.build(FILES / "Containerfile.c", context, self.base, VERSION=bills.version())
    self.assertEqual(self.serve(root.path, config, config["Cmd"]), "Hello World!\n")

  def test_containerfile_of_a_django_project(self):
    context = self.project(DJANGO)
    subprocess.run([PROJECT / "packaging/wheel.py", context], check=True, stdout=subprocess.DEVNULL)
    root, config = containers.build(FILES / "Containerfile.django", context, self.base)
    self.assertEqual(self.serve(root.path, config, config["Cmd"]), "Django in /venv\n")
    self.assertEqual(self.serve(root.path, config, config["Cmd"], "/static/style.css"), "body {}\n")

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
