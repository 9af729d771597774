"""The packages for systems with rpm: what they ask for, installed into a root, served, removed, and made
twice: `make test-packages`."""
import pathlib
import re
import subprocess
import tempfile
import unittest

import bills
from roots import PLAIN, PROJECT, SERVE, Root

# What any distribution with rpm has under these names.
KNOWN = (r"(libc|libm|libgcc_s)\.so\.\d|ld-linux|rtld|/bin/sh$|/usr/bin/pkg-config$|rpmlib|config\("
         "|nsgi-server = ")


class RpmTest(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.packages = cls.make()

  @staticmethod
  def make(*out) -> list[pathlib.Path]:
    made = subprocess.run([PROJECT / "packaging/rpm.sh", *out], check=True, capture_output=True, text=True)
    return [pathlib.Path(line) for line in made.stdout.split()]

  def rpm(self, *words) -> str:
    return subprocess.run(["rpm", *words], check=True, capture_output=True, text=True).stdout

  def test_asks_for_nothing_of_debian(self):
    self.assertEqual(len(self.packages), 4)
    for package in self.packages:
      needs = self.rpm("-qpR", package).splitlines()
      self.assertEqual([need for need in needs if not re.match(KNOWN, need)], [], package.name)
      versions = [int(minor) for minor in re.findall(r"GLIBC_2\.(\d+)", "\n".join(needs))]
      self.assertLessEqual(max(versions, default=0), 35)

  def test_names_what_is_loaded_when_it_is_asked_for(self):
    [server] = [package for package in self.packages if re.match(r"nsgi-server-\d", package.name)]
    self.assertIn("libssl.so.3()(64bit)", self.rpm("-qp", "--recommends", server).split())

  def test_install_serve_remove(self):
    with Root("bookworm", *PLAIN) as root:
      before = set(root.check("find /usr /etc").splitlines())
      # The root is Debian's, whose libraries rpm does not know; its own requirements are looked at above.
      install = ["--root", str(root.path), "--nodeps", "--noscripts"]
      self.rpm(*install, "-i", *self.packages)
      self.hold_bill(root)
      said = root.check(SERVE + """
        serve nsgi-server --app /usr/lib/nsgi-server/apps/hello_world_app.so --http-socket 127.0.0.1:8080 -p 1
        curl -sS http://127.0.0.1:8080/; finish
        serve nsgi-server --call 'libm.so.6:pow(x: f64, y: f64) -> f64 pure' -p 1 --http-socket 127.0.0.1:8080
        curl -sS 'http://127.0.0.1:8080/pow?x=2&y=10'; finish""", read_only=True)
      self.assertTrue(said.startswith("Hello World!\n") and "1024" in said, said)
      units = pathlib.Path(root.path, "usr/lib/systemd/system")
      self.assertIn("\nSocketGroup=nsgi-server\n", (units / "nsgi-server@.socket").read_text())
      self.assertIn("\nStateDirectoryMode=0750\n", (units / "nsgi-server@.service").read_text())
      scripts = self.rpm("-qp", "--scripts", self.packages[0])
      self.assertIn("useradd --system", scripts)
      names = self.rpm("--root", str(root.path), "-qa").split()
      self.assertEqual(len(names), 4)
      self.rpm(*install, "-e", *names)
      self.assertEqual(set(root.check("find /usr /etc").splitlines()) ^ before, set())

  def hold_bill(self, root: Root):
    """One, in nsgi-server, for all four."""
    for package in self.packages:
      self.assertEqual(self.rpm("-qp", "--qf", "%{VERSION}", package), bills.version(), package.name)
    names = {name for package in self.packages for name in self.rpm("-qpl", package).splitlines()}
    paths = {name.lstrip("/"): root.path / name.lstrip("/") for name in names}
    files = {name: path.read_bytes() for name, path in paths.items()
             if path.is_file() and not path.is_symlink()}
    bills.hold(self, files.pop("usr/share/doc/nsgi-server/sbom.spdx.json"), bills.version(), files)

  def test_units_and_their_surroundings(self):
    server = next(path for path in self.packages if re.match(r"nsgi-server-\d", path.name))
    names = self.rpm("-qpl", server).splitlines()
    for name in ("/etc/logrotate.d/nsgi-server", "/usr/lib/tmpfiles.d/nsgi-server.conf"):
      self.assertIn(name, names)
    self.assertIn("/etc/logrotate.d/nsgi-server", self.rpm("-qp", "--configfiles", server))
    # The group of the socket, which no front end has made.
    self.assertIn("groupadd --system nsgi-server", self.rpm("-qp", "--scripts", server))

  def test_same_bytes_twice(self):
    with tempfile.TemporaryDirectory() as again:
      for one, other in zip(self.packages, self.make(again), strict=True):
        self.assertEqual(one.read_bytes(), other.read_bytes(), one.name)


if __name__ == "__main__":
  unittest.main(verbosity=2)
