"""The servers: how each is started for each protocol that it speaks, and where it comes from.

One process that serves, as many threads as the server's own default; no line for each request; a backlog of
4096 and as many kept connections as the load opens, where that can be said. The commands' placeholders are
those of ../servers.py.
"""
from dataclasses import dataclass, field, replace
import importlib.metadata
import os
from pathlib import Path
import pwd
import re
import subprocess

from servers import PYTHON_PLUGIN, ROOT, SERVER, Spec

ENVIRONMENT = ROOT / ".build" / "bench-wsgi"
VENV = ENVIRONMENT / "venv"
PYTHON = VENV / "bin" / "python"
APPS = ROOT / "bench" / "wsgi" / "apps"
FAILED = ENVIRONMENT / "failed"  # a file for each package that could not be installed, with the reason
AGAIN = "nsgi-again"
PROTOCOLS = {"http": "HTTP", "uwsgi": "uwsgi", "scgi": "SCGI", "fcgi": "FastCGI", "cgi": "CGI"}


def library_folder() -> str:
  """Where the interpreter's shared library is: a machine with two of a release may load the other one."""
  if not PYTHON.exists():
    return ""
  command = [PYTHON, "-c", "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))"]
  return subprocess.run(command, capture_output=True, text=True).stdout.strip()


LIBRARY_FOLDER = library_folder()


@dataclass(frozen=True)
class Server:
  """A server of the comparison. `package`: as requirements.txt names it, or None: Python's own, or ours."""
  name: str
  title: str
  commands: dict[str, str]  # protocol -> command; of cgi: what the front end runs
  package: str | None = None
  note: str = ""  # what is not like for like
  needs: tuple[str, ...] = field(default=())

  def lacks(self) -> str | None:
    """Why it cannot be measured here, or None."""
    for need in self.needs:
      if not os.path.exists(need):
        return f"no {need.replace(f'{ROOT}/', '')}"
    if self.package is None:
      return None
    failed = FAILED / self.package
    if failed.exists():
      return failed.read_text().strip()
    return None if self.version() else f"{self.package} is not installed: bench/wsgi/install.sh"

  def version(self) -> str | None:
    """What is measured."""
    if self.name.startswith("nsgi"):
      return subprocess.run([SERVER, "--version"], capture_output=True, text=True).stdout.split()[-1]
    if self.package is None:
      return "Python " + python_version()
    return installed().get(normal(self.package))

  def spec(self, protocol: str) -> Spec:
    """As `Running` takes it."""
    return Spec(self.name, self.title, {protocol: self.commands[protocol]}, families=("tcp",))


def normal(package: str) -> str:
  """A package's name as indexes compare it."""
  return re.sub(r"[-_.]+", "-", package).lower()


_installed: dict[str, str] = {}


def installed() -> dict[str, str]:
  """Versions of what the environment has."""
  if not _installed:
    for path in VENV.glob("lib/python3*/site-packages"):
      for found in importlib.metadata.distributions(path=[str(path)]):
        _installed[normal(found.metadata["Name"])] = found.version
  return _installed


def python_version() -> str:
  """Of the interpreter that all of them run."""
  return subprocess.run([PYTHON, "-V"], capture_output=True, text=True).stdout.split()[-1]


def unprivileged() -> str:
  """Words for Apache, which does not serve as root."""
  if os.getuid() != 0:
    return ""
  users = {user.pw_name for user in pwd.getpwall()}
  user = next((name for name in ("www-data", "nobody") if name in users), "nobody")
  return f"--user {user} --group {'nogroup' if user == 'nobody' else user}"


def of_ours(option: str) -> str:
  """This server as it comes: a master and, here, one worker, which is the interpreter's own program."""
  return (f"{SERVER} -M -p 1 --plugin python3 --pythonpath {APPS} --module {{module}} --virtualenv {VENV} "
          f"-L --listen 4096 {option}")


def of_uwsgi(socket: str) -> str:
  """uWSGI from PyPI, with a master as its manual has it."""
  return (f"env LD_LIBRARY_PATH={LIBRARY_FOLDER} "
          f"{VENV}/bin/uwsgi --master --die-on-term --need-app --disable-logging --listen 4096 --processes 1 "
          f"--chdir {APPS} --virtualenv {VENV} --module {{module}} {socket}")


def of_gunicorn(more: str) -> str:
  """gunicorn, one worker."""
  return (f"{PYTHON} -m gunicorn -w 1 --bind 127.0.0.1:{{port}} --backlog 4096 --worker-connections 4000 "
          f"--keep-alive 300 --log-level error --no-control-socket --chdir {APPS} {more} "
          "{module}:application")


def served(name: str) -> str:
  """By apps/serve.py."""
  return f"{PYTHON} {APPS}/serve.py {name} {{port}} {{module}}"


OURS = Server("nsgi", "nsgi-server", {
  "http": of_ours("--http-socket {address}"), "uwsgi": of_ours("--uwsgi-socket {address}"),
  "scgi": of_ours("--scgi-socket {address}"), "fcgi": of_ours("--fastcgi-socket {address}"),
  "cgi": f"{SERVER} --cgi --plugin python3 --pythonpath {APPS} --module {{module}} --virtualenv {VENV} -L",
}, needs=(str(SERVER), str(SERVER.parent / PYTHON_PLUGIN)))

SERVERS = {server.name: server for server in [
  OURS,
  replace(OURS, name=AGAIN, title="nsgi-server (A/A)", commands={"http": OURS.commands["http"]}),
  Server("uwsgi", "uWSGI", {
    "http": of_uwsgi("--http-socket {address}"), "uwsgi": of_uwsgi("--socket {address}"),
    "scgi": of_uwsgi("--scgi-socket {address}"), "fcgi": of_uwsgi("--fastcgi-socket {address}"),
  }, "uWSGI", "over HTTP by `http-socket`: closes each connection; one thread"),
  Server("uwsgi-router", "uWSGI, http router", {
    "http": of_uwsgi("--http {address} --http-keepalive=300")},
    "uWSGI", "keeps connections; the router is a process more, and its CPU time and memory count"),
  Server("gunicorn-sync", "gunicorn, sync", {
    "http": of_gunicorn("-k sync"), "uwsgi": of_gunicorn("-k sync --protocol uwsgi")},
    "gunicorn", "closes each connection, by design"),
  Server("gunicorn-gthread", "gunicorn, gthread", {"http": of_gunicorn("-k gthread --threads 4")},
         "gunicorn", "four threads"),
  Server("gunicorn-gevent", "gunicorn, gevent", {"http": of_gunicorn("-k gevent")}, "gunicorn"),
  Server("waitress", "waitress", {
    "http": f"env PYTHONPATH={APPS} {PYTHON} -m waitress --host 127.0.0.1 --port {{port}} "
            f"--backlog 4096 --connection-limit 4000 --asyncore-use-poll --channel-timeout 300 "
            "{module}:application"},
    "waitress", "four threads; poll instead of select, which ends at 1,024 connections"),
  Server("cheroot", "cheroot", {
    "http": f"env PYTHONPATH={APPS} {PYTHON} -m cheroot --bind 127.0.0.1:{{port}} "
            f"--request-queue-size 4096 --timeout 300 {{module}}:application"}, "cheroot", "ten threads"),
  Server("bjoern", "bjoern", {"http": served("bjoern")}, "bjoern"),
  Server("meinheld", "meinheld", {"http": served("meinheld")}, "meinheld",
         "built with a newer greenlet than it asks for, which CPython 3.11 needs"),
  Server("fastwsgi", "FastWSGI", {"http": served("fastwsgi")}, "FastWSGI"),
  Server("granian", "granian", {
    "http": f"{PYTHON} -m granian --interface wsgi --host 127.0.0.1 --port {{port}} --workers 1 "
            "--runtime-threads 1 --blocking-threads 1 --backlog 4096 --http 1 --no-access-log "
            f"--log-level error --working-dir {APPS} {{module}}:application"}, "granian",
    "a thread of Rust beside the one of Python"),
  Server("mod-wsgi", "mod_wsgi-express", {
    "http": f"{VENV}/bin/mod_wsgi-express start-server --host 127.0.0.1 --port {{port}} "
            f"{unprivileged()} --server-root {{directory}}/apache --application-type module "
            f"--working-directory {APPS} --processes 1 --server-backlog 4096 --max-clients 4000 "
            "--keep-alive-timeout 300 {module}"}, "mod-wsgi",
    "Apache before a daemon process, both of which count; closes a connection after 100 requests"),
  Server("gevent", "gevent.pywsgi", {"http": served("gevent")}, "gevent"),
  Server("eventlet", "eventlet", {"http": served("eventlet")}, "eventlet"),
  Server("tornado", "Tornado, WSGIContainer", {"http": served("tornado")}, "tornado"),
  Server("twisted", "Twisted, WSGIResource", {"http": served("twisted")}, "Twisted", "ten threads"),
  Server("werkzeug", "Werkzeug", {"http": served("werkzeug")}, "Werkzeug",
         "for development; closes each connection"),
  Server("wsgiref", "wsgiref", {"http": served("wsgiref")}, None,
         "for development; closes each connection; one at a time"),
  Server("flup", "flup", {"fcgi": served("flup_fcgi"), "scgi": served("flup_scgi")}, "flup"),
  Server("flipflop", "flipflop", {"fcgi": served("flipflop")}, "flipflop"),
  Server("cgi", "CGI, wsgiref's handler", {"cgi": f"{PYTHON} {APPS}/cgi_page.py"}, None,
         "a process for each request"),
]}
SERVERS = {name: replace(server, needs=server.needs + (str(PYTHON),)) for name, server in SERVERS.items()}
