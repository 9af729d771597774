"""The wheel: `pip install` into fresh environments on Debian 12 and 13: `make test-packages`."""
import pathlib
import re
import subprocess
import sys
import unittest
import venv
import zipfile

import bills
from roots import PLAIN, PROJECT, PYTHON, SERVE, Root

RELEASES = ("bookworm", "trixie")
SITE = '''def application(environ, start_response):
  import sys
  start_response("200 OK", [("Content-Type", "text/plain")])
  return [f"{sys.prefix} {environ['PATH_INFO']}\\n".encode()]
'''
INSTALL = """
python3 -m venv {venv} && {venv}/bin/pip install -q --no-index --disable-pip-version-check /wheel/*.whl
"""


def without(wheel: pathlib.Path, copy: pathlib.Path, ending: str) -> bytes:
  """Copies a wheel but for the one file whose name ends so; what is in that."""
  with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(copy, "w") as target:
    [left] = [name for name in source.namelist() if name.endswith(ending)]
    for name in source.namelist():
      lines = source.read(name).splitlines(keepends=True)
      if name.endswith("/RECORD"): lines = [line for line in lines if not line.startswith(left.encode())]
      if name != left: target.writestr(name, b"".join(lines))
    return source.read(left)


class WheelTest(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    cls.wheel = cls.make()

  @staticmethod
  def make(*out) -> pathlib.Path:
    """The wheel, made now."""
    made = subprocess.run([sys.executable, PROJECT / "packaging/wheel.py", *out], check=True,
                          capture_output=True, text=True)
    return pathlib.Path(made.stdout.strip())

  def root(self, release: str) -> Root:
    root = Root(release, *PYTHON[release])
    root.copy(self.wheel, "/wheel/")
    root.write("/srv/mysite/wsgi.py", SITE)
    return root

  def test_quick_start(self):
    for release in RELEASES:
      with self.subTest(release=release), self.root(release) as root:
        said = root.check(SERVE + INSTALL.format(venv="/tmp/own") + """
          cd /srv; serve /tmp/own/bin/nsgi-server -w mysite.wsgi --http-socket 127.0.0.1:8080
          curl -sS http://127.0.0.1:8080/shop; finish""",
          user=4321, environment={"PATH": "/usr/bin:/bin", "HOME": "/tmp"})
        self.assertEqual(said, "/tmp/own /shop\n")

  def test_the_environment_it_is_in_counts_and_not_the_active_one(self):
    with self.root("bookworm") as root:
      said = root.check(SERVE + INSTALL.format(venv="/tmp/own") + """
        python3 -m venv --without-pip /tmp/other; export VIRTUAL_ENV=/tmp/other PATH=/tmp/other/bin:$PATH
        cd /srv; serve /tmp/own/bin/nsgi-server -w mysite.wsgi --http-socket 127.0.0.1:8080
        curl -sS http://127.0.0.1:8080/; finish
        serve /tmp/own/bin/nsgi-server -H /tmp/other -w mysite.wsgi --http-socket 127.0.0.1:8081
        curl -sS http://127.0.0.1:8081/; finish""")
      self.assertEqual(said, "/tmp/own /\n/tmp/other /\n")

  def test_as_a_module_and_in_scripts(self):
    with self.root("trixie") as root:
      root.write("/srv/site.py", SITE + '\nif __name__ == "__main__":\n  from nsgi import WSGIServer\n'
                 '  WSGIServer(application, bindAddress=("127.0.0.1", 8081), protocol="http").run()\n')
      said = root.check(SERVE + INSTALL.format(venv="/tmp/own") + """
        cd /srv; serve /tmp/own/bin/python -m nsgi_server -w mysite.wsgi --http-socket 127.0.0.1:8080
        curl -sS http://127.0.0.1:8080/; finish
        serve /tmp/own/bin/python /srv/site.py
        curl -sS http://127.0.0.1:8081/; finish
        /tmp/own/bin/python -c 'import nsgi_server; print(nsgi_server.__version__, nsgi_server.program())'""")
      self.assertEqual(said, f"/tmp/own /\n/tmp/own /\n{bills.version()} /tmp/own/bin/nsgi-server\n")

  def test_native_apps_and_new(self):
    with self.root("bookworm") as root:
      root.copy(".build/apps/hello_world_app.so", "/srv/hello.so")
      said = root.check(SERVE + INSTALL.format(venv="/tmp/own") + """
        cd /tmp; /tmp/own/bin/nsgi-server new mine --language c >/dev/null; ls mine
        serve /tmp/own/bin/nsgi-server --app /srv/hello.so --http-socket 127.0.0.1:8080
        curl -sS http://127.0.0.1:8080/; finish""")
      self.assertEqual(said, "Makefile\nREADME.md\nmine.c\nnsgi.h\nHello World!\n")

  def test_another_system_is_one_sentence(self):
    """Where the program's dynamic linker is missing, as on a system with another C library, the kernel says
    no more than that a file is."""
    with self.root("bookworm") as root:
      said = root.check(INSTALL.format(venv="/tmp/own") + """
        sed -i 's|/lib64/ld-linux-x86-64.so.2|/lib64/ld-linux-x86-64.so.9|' /tmp/own/bin/nsgi-server
        if /tmp/own/bin/python -m nsgi_server --version; then exit 1; else echo "ended with $?"; fi""")
      self.assertEqual(said, "nsgi-server: /tmp/own/bin/nsgi-server does not start here (No such file or "
                       "directory): it is for Linux x86-64, glibc 2.35 or later\nended with 1\n")

  def test_uninstall_leaves_nothing(self):
    with self.root("bookworm") as root:
      said = root.check(INSTALL.format(venv="/tmp/own") +
                        "/tmp/own/bin/pip uninstall -q -y nsgi-server; find /tmp/own -name '*nsgi*' -type f")
      self.assertEqual(said, "")

  def test_only_an_embedded_python_needs_its_shared_library(self):
    with Root("bookworm", *PLAIN, "python3", "python3-venv") as root:
      root.copy(self.wheel, "/wheel/")
      root.write("/srv/mysite/wsgi.py", SITE)
      said = root.check(SERVE + INSTALL.format(venv="/tmp/own") + """
        cd /srv; serve /tmp/own/bin/nsgi-server -w mysite.wsgi --http-socket 127.0.0.1:8080 -p 1
        curl -sS http://127.0.0.1:8080/; finish""")
      self.assertEqual(said, "/tmp/own /\n")
      done = root.run(INSTALL.format(venv="/tmp/own") + "cd /srv; exec /tmp/own/bin/nsgi-server "
                      "-w mysite.wsgi --http-socket 127.0.0.1:8080 -p 1 --embed")
      self.assertEqual(done.returncode, 22, done.stdout)
      self.assertIn("libpython3.11", done.stdout)

  def test_auditwheel_says_what_the_name_says(self):
    """Of all but what is over the system's OpenSSL, which the first socket with TLS loads."""
    place = PROJECT / ".build/auditwheel"
    if not (place / "bin/auditwheel").exists():
      venv.create(place, with_pip=True)
      command = [place / "bin/pip", "install", "-q", "--disable-pip-version-check"]
      subprocess.run([*command, "auditwheel==6.8.2"], check=True)
    audited, library = place / self.wheel.name, place / "libnsgi_tls.so"
    library.write_bytes(without(self.wheel, audited, f"/{library.name}"))
    command = [place / "bin/auditwheel", "show", audited]
    shown = subprocess.run(command, capture_output=True, text=True)
    self.assertEqual(shown.returncode, 0, shown.stderr)
    said = re.sub(r"\s+", " ", shown.stdout)
    self.assertIn('consistent with the following platform tag: "manylinux_2_35_x86_64"', said)
    told = subprocess.run(["readelf", "-dVW", library], check=True, capture_output=True, text=True).stdout
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", told))
    self.assertEqual(needed, {"libc.so.6", "libcrypto.so.3", "libssl.so.3"})
    self.assertLessEqual(max(int(minor) for minor in re.findall(r"GLIBC_2\.(\d+)", told)), 35)

  def test_metadata_and_types(self):
    place = PROJECT / ".build/wheel-check"
    venv.create(place, with_pip=True, clear=True)
    command = [place / "bin/pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*command, self.wheel, "twine==7.0.0", "mypy==2.4.1"], check=True)
    command = [place / "bin/twine", "check", "--strict", self.wheel]
    checked = subprocess.run(command, capture_output=True, text=True)
    self.assertEqual(checked.returncode, 0, checked.stdout)
    source = place / "use.py"
    source.write_text("import nsgi, nsgi_server\np: str = nsgi_server.program()\n"
                      "nsgi.WSGIServer(lambda e, s: [b''], bindAddress=('::1', 80)).run()\n")
    command = [place / "bin/mypy", "--strict", "--python-executable", place / "bin/python", source]
    typed = subprocess.run(command, capture_output=True, text=True)
    self.assertEqual(typed.returncode, 0, typed.stdout)

  def test_bill_of_materials(self):
    release = bills.version()
    self.assertTrue(self.wheel.name.startswith(f"nsgi_server-{release}-py3-"), self.wheel.name)
    with zipfile.ZipFile(self.wheel) as archive:
      files = {name: archive.read(name) for name in archive.namelist()}
    info = f"nsgi_server-{release}.dist-info"
    # The list of the format has the bill, which cannot have the list.
    del files[f"{info}/RECORD"]
    bills.hold(self, files.pop(f"{info}/sboms/nsgi-server.spdx.json"), release, files)

  def test_same_bytes_twice(self):
    again = self.make(PROJECT / ".build/wheel-again")
    self.assertEqual(self.wheel.read_bytes(), again.read_bytes())


if __name__ == "__main__":
  unittest.main(verbosity=2)
