"""The Debian packages: lint, install, serve, purge, on Debian 12 and 13: `make test-packages`."""
import pathlib
import subprocess
import tempfile
import unittest

import bills
from roots import COMPILER, PROJECT, PYTHON, SERVE, Root

URL = "http://127.0.0.1:8080"
RELEASES = ("bookworm", "trixie")
QUIET = "export DEBIAN_FRONTEND=noninteractive; "
UPDATE = f"{QUIET} apt-get update -qq"
INSTALL = f"{QUIET} apt-get install -qq -y --no-install-recommends"
# What a purge has to leave as it was.
ELSE = ("/proc", "/dev", "/sys", "/tmp", "/run", "/deb", "/var/lib/apt", "/var/cache", "/var/log",
        "/var/lib/dpkg")
LISTING = f"find / -xdev \\( -path {' -o -path '.join(ELSE)} \\) -prune -o -print | sort"


class DebTest(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    made = subprocess.run([PROJECT / "packaging/deb.sh"], check=True, capture_output=True, text=True).stdout
    cls.packages = made.split()

  def install(self, root: Root, *names: str, also: str = ""):
    """Installs packages of ours, and what they depend on from Debian."""
    for path in self.packages: root.copy(path, "/deb/")
    files = " ".join(f"/deb/{name}_*.deb" for name in names)
    root.check(f"{UPDATE}; {INSTALL} {also} {files}", network=True, timeout=900)

  def test_lintian(self):
    command = ["lintian", "--fail-on", "error,warning"]
    lint = subprocess.run([*command, *self.packages], capture_output=True, text=True)
    self.assertEqual((lint.returncode, lint.stdout), (0, ""))

  def test_bill_of_materials(self):
    for path in self.packages:
      name = pathlib.Path(path).name.split("_")[0]
      with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "-x", path, folder], check=True)
        files = bills.below(pathlib.Path(folder))
      said = subprocess.run(["dpkg-deb", "-f", path, "Version"], check=True, capture_output=True, text=True)
      self.assertEqual(said.stdout.strip(), bills.version())
      bills.hold(self, files.pop(f"usr/share/doc/{name}/sbom.spdx.json"), bills.version(), files)

  def test_same_bytes_twice(self):
    again = tempfile.TemporaryDirectory()
    self.addCleanup(again.cleanup)
    subprocess.run([PROJECT / "packaging/deb.sh", again.name], check=True, capture_output=True)
    for path in map(pathlib.Path, self.packages):
      self.assertEqual(path.read_bytes(), pathlib.Path(again.name, path.name).read_bytes(), path.name)

  def test_install_serve_purge(self):
    for release in RELEASES:
      with self.subTest(release=release), Root(release, *PYTHON[release]) as root:
        # adduser and its like stay: they are Debian's, and purging ours does not remove them.
        root.check(f"{UPDATE}; {INSTALL} adduser", network=True)
        before = root.check(LISTING)
        self.install(root, "nsgi-server", "nsgi-server-python3", "nsgi-server-ffi", "libnsgi-dev")
        # The command of the unit, as the user of the unit, where /usr and /etc are read-only.
        served = root.check(SERVE + """
          grep ^nsgi-server /etc/passwd | cut -d: -f6,7
          mkdir -p /run/nsgi-server/hello; chown nsgi-server /run/nsgi-server/hello
          COMMAND=$(sed -n '/^ExecStart=/,/[^\\\\]$/p' /usr/lib/systemd/system/nsgi-server@.service |
            tr -d '\\\\\\n' | sed 's/ExecStart=//; s/%i/hello/g')
          serve setpriv --reuid nsgi-server --regid nsgi-server --clear-groups $COMMAND
          curl -sS http://127.0.0.1:8080/
          nsgi-server ctl --control-socket /run/nsgi-server/hello/control.sock status | head -1
          finish""", read_only=True)
        self.assertTrue(served.startswith("/var/lib/nsgi-server:/usr/sbin/nologin\nHello World!\n"), served)
        python = root.check(SERVE + """
          printf 'import nsgi\\n' >/tmp/hello.py
          printf 'def application(e, s):\\n  s("200 OK", [])\\n' >>/tmp/hello.py
          printf '  return [b"Python\\\\n"]\\n' >>/tmp/hello.py; cd /tmp
          serve nsgi-server -w hello --http-socket 127.0.0.1:8080 -p 1
          curl -sS http://127.0.0.1:8080/; finish""", user=4321, read_only=True)
        self.assertEqual(python, "Python\n")
        function = root.check(SERVE + """
          serve nsgi-server --call 'libm.so.6:pow(x: f64, y: f64) -> f64 pure' -p 1 \
            --http-socket 127.0.0.1:8080
          curl -sS 'http://127.0.0.1:8080/pow?x=2&y=10'; finish""", read_only=True)
        self.assertIn("1024", function)
        root.write("/var/log/nsgi-server/hello.log", "left by an instance\n")
        root.check(f"{QUIET} apt-get purge -qq -y nsgi-server nsgi-server-python3 nsgi-server-ffi "
                   "libnsgi-dev")
        after = root.check(LISTING + "; ls /var/lib/dpkg/info | grep nsgi || true")
        # The tools for users keep a copy of each file from before their last change.
        kept = {f"/etc/{name}-" for name in ("passwd", "shadow", "group", "gshadow")}
        self.assertEqual((set(after.splitlines()) ^ set(before.splitlines())) - kept, set())
        left = root.check("grep -h nsgi /etc/passwd /etc/group /etc/shadow || true; "
                          "ls /var/log | grep nsgi || true")
        self.assertEqual(left, "")

  def test_header_and_new(self):
    with Root("bookworm", *COMPILER) as root:
      self.install(root, "nsgi-server", "libnsgi-dev", also="pkg-config")
      said = root.check(SERVE + """
        cd /tmp; nsgi-server new mine --language c >/dev/null
        cc -O2 -fPIC -shared $(pkg-config --cflags nsgi) mine/mine.c -o mine.so
        nsgi-server check mine.so --exercise >/dev/null
        serve nsgi-server --app mine.so --http-socket 127.0.0.1:8080
        curl -sS http://127.0.0.1:8080/; finish""",
        read_only=True)
      self.assertEqual(said, "Hello World!\n")

  def test_units(self):
    with Root("bookworm", "systemd") as root:
      self.install(root, "nsgi-server")
      said = root.check("""
        systemd-analyze verify --man=no --recursive-errors=no \
          nsgi-server@hello.service nsgi-server@hello.socket
        systemd-analyze security --offline=true --threshold=25 /usr/lib/systemd/system/nsgi-server@.service |
          grep -o 'Overall exposure level.*'""")
      self.assertIn("OK", said)
      root.check(f"{INSTALL} logrotate", network=True)
      rotated = root.check("""
        mkdir -p /var/log/nsgi-server; chown nsgi-server /var/log/nsgi-server
        setpriv --reuid nsgi-server --regid nsgi-server --clear-groups \
          sh -c 'echo line >/var/log/nsgi-server/hello.log'
        logrotate --force /etc/logrotate.d/nsgi-server; ls /var/log/nsgi-server""")
      self.assertEqual(rotated, "hello.log.1\n")

  def test_plugin_is_missing(self):
    with Root("bookworm", "curl") as root:
      self.install(root, "nsgi-server")
      done = root.run("nsgi-server -w hello --http-socket 127.0.0.1:8080")
      self.assertNotEqual(done.returncode, 0)
      self.assertIn("install nsgi-server-python3", done.stdout)


if __name__ == "__main__":
  unittest.main(verbosity=2)
