"""The tarball on machines that have never seen Swift: `make test-packages`."""
import pathlib
import subprocess
import tempfile
import unittest

import bills
from roots import COMPILER, PLAIN, PROJECT, PYTHON, SERVE, Root

URL = "http://127.0.0.1:8080"
RELEASES = ("bookworm", "trixie")


def tarball() -> str:
  """The tarball, made now."""
  made = subprocess.run([PROJECT / "packaging/dist.sh"], check=True, capture_output=True, text=True)
  return made.stdout.strip()


class DistTest(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.tar = tarball()

  def unpack(self, root: Root, place: str = "/opt") -> str:
    """Unpacks it into the root; where it is there."""
    (root.path / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
    folder = root.path / place.lstrip("/")
    subprocess.run(["tar", "-C", folder, "-xzf", self.tar, "--no-same-owner"], check=True)
    name = next(folder.glob("nsgi-server-*")).name
    return f"{place}/{name}"

  def test_native_app_as_root_and_as_a_user(self):
    for release in RELEASES:
      for user in (0, 4321):
        with self.subTest(release=release, user=user), Root(release, *PLAIN) as root:
          place = self.unpack(root, "/srv/some where")
          root.copy(".build/apps/hello_world_app.so", "/srv/hello.so")
          said = root.check(SERVE + f"""
            cd /; unset HOME
            serve "{place}/bin/nsgi-server" --app /srv/hello.so --http-socket 127.0.0.1:8080
            curl -sS {URL}/; finish""", user=user, read_only=True, environment={"PATH": "/usr/bin:/bin"})
          self.assertEqual(said, "Hello World!\n")

  def test_no_environment_at_all(self):
    with Root("bookworm", *PLAIN) as root:
      place = self.unpack(root)
      root.copy(".build/apps/hello_world_app.so", "/srv/hello.so")
      said = root.check(f"cd /proc; exec /usr/bin/env -i {place}/bin/nsgi-server check /srv/hello.so --load",
                        environment={}, read_only=True)
      self.assertIn("verdict     good", said)

  def test_swap(self):
    for release in RELEASES:
      with self.subTest(release=release), Root(release, *PLAIN) as root:
        place = self.unpack(root)
        root.copy(".build/apps/hello_world_app.so", "/srv/app.so")
        root.copy(".build/apps/environ.so", "/srv/next.so")
        said = root.check(SERVE + f"""
          serve {place}/bin/nsgi-server --app /srv/app.so --http-socket 127.0.0.1:8080 -p 1 \
            --swap-soak 0 --swap-probation 0 --control-socket /run/control
          curl -sS {URL}/
          cp /srv/next.so /srv/app.so.new; mv /srv/app.so.new /srv/app.so
          {place}/bin/nsgi-server ctl --control-socket /run/control swap >/dev/null
          curl -sS {URL}/; finish""")
        self.assertTrue(said.startswith("Hello World!\n"), said)
        self.assertIn("REQUEST_METHOD", said)

  def test_new_and_build_where_a_compiler_is(self):
    with Root("bookworm", *COMPILER) as root:
      place = self.unpack(root)
      said = root.check(SERVE + f"""
        cd /tmp; export PATH={place}/bin:$PATH
        nsgi-server new mine --language c; make -s -C mine check; grep '^nsgi-server' mine/README.md
        serve nsgi-server --app mine/mine.so --http-socket 127.0.0.1:8080
        curl -sS {URL}/; finish""", read_only=True)
      self.assertIn("verdict     good", said)
      self.assertTrue(said.endswith("Hello World!\n"), said)

  def test_python(self):
    """By the letter of PEP 3333 with each Debian's own Python: as it is, after a swap, and preloaded."""
    for release in RELEASES:
      with self.subTest(release=release), Root(release, *PYTHON[release]) as root:
        place = self.unpack(root)
        root.write("/srv/hello.py", "from wsgiref.validate import validator\n"
                   "def hello(environ, start_response):\n"
                   "  start_response('200 OK', [('Content-Type', 'text/plain')])\n"
                   "  return [b'Hello from Python\\n']\n"
                   "application = validator(hello)\n")
        said = root.check(SERVE + f"""
          COMMAND="{place}/bin/nsgi-server -w hello --http-socket 127.0.0.1:8080 -p 1"
          cd /srv; serve $COMMAND --control-socket /tmp/control --swap-soak 0 --swap-probation 0
          curl -sS {URL}/
          {place}/bin/nsgi-server ctl --control-socket /tmp/control swap >/dev/null
          curl -sS {URL}/; finish
          serve $COMMAND --preload; curl -sS {URL}/; finish""", user=4321)
        self.assertEqual(said, 3 * "Hello from Python\n")

  def test_python_is_missing(self):
    with Root("bookworm", *PLAIN) as root:
      place = self.unpack(root)
      done = root.run(f"exec {place}/bin/nsgi-server -w hello --http-socket 127.0.0.1:8080 -p 1")
      self.assertNotEqual(done.returncode, 0)
      self.assertIn("install python3", done.stdout)

  def test_an_older_c_library_is_one_sentence(self):
    """As below the floor: the program asks for a version that the machine's C library does not have."""
    with Root("bookworm", *PLAIN) as root:
      program = self.unpack(root) + "/bin/nsgi-server"
      done = root.run(f"sed -i 's/GLIBC_2\\.34/GLIBC_9.99/g' {program}; exec {program} --version")
      self.assertNotEqual(done.returncode, 0)
      self.assertIn("version `GLIBC_9.99' not found", done.stdout)
      self.assertEqual(len(done.stdout.splitlines()), 1, done.stdout)

  def test_functions_of_c(self):
    with Root("bookworm", *PLAIN) as root:
      place = self.unpack(root)
      said = root.check(SERVE + f"""
        serve {place}/bin/nsgi-server --call 'libm.so.6:pow(x: f64, y: f64) -> f64 pure' -p 1 \
          --http-socket 127.0.0.1:8080
        curl -sS '{URL}/pow?x=2&y=10'; finish""")
      self.assertIn("1024", said)

  def test_apps_in_swift_bring_their_runtime(self):
    """One that was linked with it inside, and one with the shared libraries beside it."""
    with Root("trixie", *PLAIN) as root:
      place = self.unpack(root)
      for kind in ("static", "shared"):
        folder = PROJECT / f".build/packages-swift/{kind}"
        subprocess.run([PROJECT / "Tests/Packages/swift_app.sh", kind, folder], check=True)
        root.copy(folder, f"/srv/{kind}")
        with self.subTest(kind=kind):
          said = root.check(SERVE + f"""
            serve {place}/bin/nsgi-server --app /srv/{kind}/my_app.so --http-socket 127.0.0.1:8080 -p 1
            curl -sS {URL}/; finish""")
          self.assertEqual(said, "Hello World!\n")

  def test_cgi_under_lighttpd(self):
    with Root("bookworm", *PYTHON["bookworm"]) as root:
      place = self.unpack(root)
      root.copy(".build/apps/hello_world_app.so", "/srv/hello.so")
      root.write("/srv/www/hello.cgi", f"#!{place}/bin/nsgi-server --app /srv/hello.so --cgi\n")
      (root.path / "srv/www/hello.cgi").chmod(0o755)
      root.write("/srv/lighttpd.conf", """
server.bind = "127.0.0.1"
server.port = 8080
server.document-root = "/srv/www"
server.modules = ( "mod_cgi" )
cgi.assign = ( ".cgi" => "" )
""")
      said = root.check(f"""
        lighttpd -D -f /srv/lighttpd.conf 2>/dev/null & PID=$!
        for i in $(seq 100); do curl -sS {URL}/hello.cgi 2>/dev/null && break; sleep 0.1; done
        kill $PID; wait $PID || true""")
      self.assertEqual(said, "Hello World!\n")

  def test_bill_of_materials(self):
    release = bills.version()
    with tempfile.TemporaryDirectory() as folder:
      subprocess.run(["tar", "-C", folder, "-xzf", self.tar, "--no-same-owner"], check=True)
      [tree] = pathlib.Path(folder).iterdir()
      self.assertTrue(tree.name.startswith(f"nsgi-server-{release}-linux-"), tree.name)
      files = bills.below(tree)
    bills.hold(self, files.pop("share/doc/nsgi-server/sbom.spdx.json"), release, files)

  def test_same_bytes_twice(self):
    first = PROJECT / ".build/dist-again"
    again = subprocess.run([PROJECT / "packaging/dist.sh", first], check=True, capture_output=True, text=True)
    with open(self.tar, "rb") as one, open(again.stdout.strip(), "rb") as other:
      self.assertEqual(one.read(), other.read())


if __name__ == "__main__":
  unittest.main(verbosity=2)
