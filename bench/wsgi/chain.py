"""What answers: a server, perhaps with a web server in front; started afresh, asked once, stopped."""
from dataclasses import dataclass
import contextlib
import http.client
import subprocess
import time

import machine
from running import Running, ServerError
from wsgi.fronts import CGI_PATH, front
from wsgi.servers import APPS, PROTOCOLS, PYTHON, SERVERS

APPLICATIONS = {"hello": "hello_page", "flask": "flask_page", "django": "django_page"}
PATIENCE = 30  # seconds for a start and for the first answer
# These close a connection of FastCGI whatever the front end asks, or serve one at a time: nginx keeps none.
ONE_AT_A_TIME = {"flup", "flipflop", "uwsgi", "cgi"}

_expected: dict[str, bytes] = {}


def expected(app: str) -> bytes:
  """The body that an application answers, from itself without a server."""
  if app not in _expected:
    done = subprocess.run([PYTHON, "expected.py", APPLICATIONS[app]], cwd=APPS, capture_output=True)
    if done.returncode:
      raise ServerError(done.stderr.decode().strip().splitlines()[-1])
    _expected[app] = done.stdout
  return _expected[app]


@dataclass(frozen=True)
class Route:
  """From the client to the application."""
  server: str
  front: str  # direct, lighttpd or nginx
  protocol: str  # that the server speaks

  @property
  def title(self) -> str:
    """As tables have it."""
    server, protocol = SERVERS[self.server].title, PROTOCOLS[self.protocol]
    return server if self.front == "direct" else f"{server} behind {self.front}, {protocol}"

  @property
  def name(self) -> str:
    """As the command line takes it."""
    return f"{self.server}/{self.front}/{self.protocol}"


def routes(fronts: tuple[str, ...] = ("direct", "lighttpd", "nginx")) -> list[Route]:
  """Every way to every server that is in the list, whether it is installed or not."""
  found = []
  for name in fronts:
    for server in SERVERS.values():
      for protocol in server.commands:
        is_possible = {"direct": protocol == "http", "nginx": protocol != "cgi", "lighttpd": True}[name]
        if is_possible and not (name != "direct" and server.name in ("nsgi-again", "uwsgi-router")):
          found.append(Route(server.name, name, protocol))
  return found


class Chain:
  """A route that runs with an application; a context manager."""

  def __init__(self, route: Route, app: str):
    self.route, self.app = route, app
    self.path = CGI_PATH if route.protocol == "cgi" else "/"
    self.server: Running | None = None
    self.front: Running | None = None
    self._stack = contextlib.ExitStack()

  def __enter__(self) -> "Chain":
    with contextlib.ExitStack() as stack:
      server, module = SERVERS[self.route.server], APPLICATIONS[self.app]
      back = server.commands[self.route.protocol].replace("{module}", module)
      if self.route.protocol != "cgi":
        spec = server.spec(self.route.protocol)
        self.server = stack.enter_context(Running(spec, self.route.protocol, "tcp", module, PATIENCE))
        back = self.server.address.rsplit(":", 1)[1]
      if self.route.front != "direct":
        keeps = self.route.server not in ONE_AT_A_TIME
        spec = front(self.route.front, self.route.protocol, back, keeps)
        self.front = stack.enter_context(Running(spec, "http", "tcp", module, PATIENCE))
      self.ask_until_answered()
      self._stack = stack.pop_all()
    return self

  def __exit__(self, *_):
    self._stack.close()

  @property
  def address(self) -> str:
    """Where clients ask."""
    return (self.front or self.server).address

  def ask(self) -> tuple[int, bytes]:
    """One request, on a connection of its own."""
    host, port = self.address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    with contextlib.closing(connection):
      connection.request("GET", self.path, headers={"Host": "localhost"})
      answer = connection.getresponse()
      return answer.status, answer.read()

  def ask_until_answered(self):
    """Until the application answers what it should: who listens may still be loading it."""
    end, why = time.monotonic() + PATIENCE, ""
    while time.monotonic() < end:
      try:
        status, body = self.ask()
      except (OSError, http.client.HTTPException) as error:
        why = f"{type(error).__name__}: {error}"
      else:
        if status == 200 and body == expected(self.app):
          return
        why = f"answers {status} with {body[:60]!r}"
      if self.server and self.server.process.poll() is not None:
        break
      time.sleep(0.05)
    raise ServerError(why + self.last_words())

  def last_words(self) -> str:
    """The end of the server's log."""
    running = self.server or self.front
    lines = (running.directory / "log").read_text(errors="replace").strip().splitlines()
    return f" ({lines[-1][:200]})" if lines else ""

  def pids(self) -> tuple[list[int], list[int]]:
    """Of the server, and of the front end."""
    return (self.server.pids() if self.server else []), (self.front.pids() if self.front else [])

  def cpu(self) -> tuple[float, float]:
    """CPU seconds of the server and of the front end, each with its processes that have ended."""
    server, front_ = self.pids()
    of_server = machine.cpu_seconds(server) + machine.children_seconds(server)
    of_front = machine.cpu_seconds(front_)
    if self.route.protocol == "cgi":  # the front end's children are the server
      of_server = machine.children_seconds(front_) + sum(
        machine.cpu_seconds([pid]) for pid in front_ if pid != self.front.process.pid)
      of_front = machine.cpu_seconds([self.front.process.pid])
    return of_server, of_front
