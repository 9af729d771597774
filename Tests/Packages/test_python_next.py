"""The wheel with the Python that comes after Debian 13's, 3.14 of the testing suite: `make test-python-next`,
and part of `make test-packages`."""
import subprocess
import sys
import unittest

from roots import PROJECT, PYTHON, SERVE, Root

URL = "http://127.0.0.1:8080"
# By the letter of PEP 3333, in a dict that no other request had: releases from 3.14 on do not number the
# changes of a dict, so that none is used again.
WSGI = """import sys
from wsgiref.validate import validator
def hello(environ, start_response):
  assert type(environ) is dict and "left" not in environ
  environ["left"] = True
  body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
  start_response("200 OK", [("Content-Type", "text/plain"), ("X-Name", "caf\\xe9")])
  return [b"%d.%d " % sys.version_info[:2], environ["PATH_INFO"].encode("latin-1") + b" " + body + b"\\n"]
application = validator(hello)
"""
ASGI = """import asyncio
async def application(scope, receive, send):
  assert scope["type"] == "http"
  message = await receive()
  await asyncio.sleep(0)
  await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
  await send({"type": "http.response.body", "body": b"ASGI " + message["body"], "more_body": True})
  await send({"type": "http.response.body", "body": b"\\n"})
"""
# $COMMAND serves from the environment; with $NOW too, `swap` swaps at once.
VENV = """
python3.14 -m venv /tmp/own
/tmp/own/bin/pip install -q --no-index --disable-pip-version-check /wheel/*.whl
cp -R /srv/site /tmp/site; cd /tmp/site
COMMAND="/tmp/own/bin/nsgi-server --http-socket 127.0.0.1:8080 -p 1"
NOW="--control-socket /tmp/control --swap-soak 0 --swap-probation 0"
swap() { /tmp/own/bin/nsgi-server ctl --control-socket /tmp/control swap >/dev/null; }
"""


class PythonNextTest(unittest.TestCase):
  @classmethod
  def setUpClass(cls):
    made = subprocess.run([sys.executable, PROJECT / "packaging/wheel.py"], check=True, capture_output=True,
                          text=True)
    cls.wheel = made.stdout.strip()

  def check(self, script: str) -> str:
    """The output of a script in a root with the wheel in an environment, as a user who owns nothing else."""
    with Root("forky", *PYTHON["forky"]) as root:
      root.copy(self.wheel, "/wheel/")
      root.write("/srv/site/hello.py", WSGI)
      root.write("/srv/site/waits.py", ASGI)
      return root.check(SERVE + VENV + script, user=4321,
                        environment={"PATH": "/usr/bin:/bin", "HOME": "/tmp"})

  def test_wsgi_in_each_way_to_host(self):
    """In the interpreter's own program, in the server's, and preloaded; several requests on a connection."""
    said = self.check(f"""
      for way in "" --embed --preload; do
        serve $COMMAND -w hello $way
        curl -sS {URL}/one {URL}/one {URL}/caf%C3%A9 -d body; finish
      done""")
    self.assertEqual(said, 3 * "3.14 /one body\n3.14 /one body\n3.14 /caf\u00e9 body\n")

  def test_asgi(self):
    said = self.check(f"""
      serve $COMMAND -w waits; curl -sS {URL}/ {URL}/ -d body; finish""")
    self.assertEqual(said, 2 * "ASGI body\n")

  def test_swap(self):
    """A swap of each kind of application, and of one that is preloaded."""
    said = self.check(f"""
      for way in hello "hello --preload" waits; do
        cp /srv/site/*.py .
        serve $COMMAND $NOW -w $way; curl -sS {URL}/ -d body
        sed -i 's/b"ASGI /b"ASGI again /; s/b" " + body/b" again " + body/' *.py
        swap; curl -sS {URL}/ -d body; finish
      done""")
    wsgi = "3.14 / body\n3.14 / again body\n"
    self.assertEqual(said, wsgi + wsgi + "ASGI body\nASGI again body\n")

  def test_others_are_refused_by_name(self):
    """Without the interpreter's lock, and a release that nobody has looked at: copies of a program."""
    for name, sentence in (("python3.14t", "the free-threaded build of Python 3.14"),
                           ("python3.15", "Python 3.15")):
      said = self.check(f"""
        cp /usr/bin/python3.14 /tmp/{name}
        if $COMMAND -w hello --python /tmp/{name} 2>&1; then exit 1; else echo "ended with $?"; fi""")
      self.assertIn(sentence, said)
      self.assertTrue(said.endswith("ended with 22\n"), said)


if __name__ == "__main__":
  unittest.main(verbosity=2)
