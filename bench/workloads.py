"""What is measured: every workload in one table. Its servers are those of servers.py and peers.py."""
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
  """How a workload is measured."""
  LOAD = "requests at full speed for some seconds"
  IDLE = "memory of idle connections"
  START = "time from the start of the process to the first answer"
  CGI = "one process, one answer"


@dataclass(frozen=True)
class Workload:
  """One row of the table for each server in `servers` (those that speak the protocol and are installed)."""
  name: str
  title: str
  protocol: str  # as gwload -p takes it
  servers: tuple[str, ...]
  family: str = "tcp"
  path: str = "/"
  post: int | None = None  # bytes of the request's body
  connections: int = 64
  pipeline: int = 1
  module: str = "wsgi_hello"  # the application of the Python servers, in peers/
  idle: int = 0  # further connections that do nothing meanwhile
  kind: Kind = Kind.LOAD
  quick: bool = False  # part of `make bench-quick`


# nsgi-full, nsgi-plain, nsgi-swift: this server with an app in C (full form, plain form) and in Swift;
# nsgi-epoll: with the app in C, told to use epoll;
# nsgi-other: another build of it, with the app in C.
NATIVE = ("nsgi-full", "nsgi-epoll", "nsgi-other")
HTTP_PEERS = ("nginx", "kore", "h2o", "lighttpd", "uwsgi")
FORMS = NATIVE + ("nsgi-plain", "nsgi-swift")
GATEWAY_PEERS = ("uwsgi", "libfcgi")
# Apps of a Python server, WSGI; where each request is heavy, without the slowest two.
WSGI_PEERS = ("nsgi-python", "bjoern", "fastwsgi", "granian", "gunicorn", "uwsgi-python")
FAST_WSGI_PEERS = ("nsgi-python", "bjoern", "fastwsgi", "granian")
ASGI_PEERS = ("nsgi-python", "granian-asgi", "uvicorn")

HTTP = [
  Workload("http-keep", "HTTP keep-alive", "http", FORMS + ("limit_uring",) + HTTP_PEERS, quick=True),
  Workload("http-keep-1", "HTTP keep-alive, 1 connection", "http", NATIVE + ("nginx",), connections=1),
  Workload("http-keep-1000", "HTTP keep-alive, 1000 connections", "http", NATIVE + ("nginx",),
           connections=1000),
  Workload("http-keep-10000", "HTTP keep-alive, 10,000 connections", "http", NATIVE + ("nginx",),
           connections=10000),
  Workload("http-among-idle", "HTTP keep-alive, 64 among 10,000 idle", "http", NATIVE + ("nginx",),
           idle=10000),
  Workload("http-two", "HTTP keep-alive, two workers", "http", ("nsgi-full", "nsgi-two")),
  Workload("http-pipelined", "HTTP pipelined by 16", "http", NATIVE + ("nginx", "h2o"), pipeline=16,
           quick=True),
  Workload("http-close", "HTTP close", "http-close", NATIVE + HTTP_PEERS, quick=True),
  Workload("http-close-unix", "HTTP close, unix socket", "http-close", NATIVE, family="unix"),
  Workload("http-100k", "HTTP, answers of 100 KiB", "http", NATIVE, path="/100k", quick=True),
  Workload("http-upload", "HTTP, uploads of 1 MiB", "http", NATIVE + ("limit_whole",), path="/len",
           post=1 << 20, connections=16, quick=True),
]


def gateway(protocol: str, title: str) -> list[Workload]:
  """A protocol over TCP and over a unix socket."""
  servers = NATIVE + GATEWAY_PEERS
  return [
    Workload(f"{protocol}-unix", f"{title}, unix socket", protocol, servers, family="unix", quick=True),
    Workload(f"{protocol}-tcp", f"{title}, TCP", protocol, servers),
  ]


WORKLOADS = [
  *HTTP,
  *gateway("fcgi-keep", "FastCGI keep-alive"),
  *gateway("fcgi", "FastCGI per connection"),
  *gateway("scgi", "SCGI per connection"),
  *gateway("uwsgi", "uwsgi per connection"),
  Workload("wsgi", "WSGI hello, HTTP keep-alive", "http", WSGI_PEERS),
  Workload("wsgi-flask", "Flask hello, HTTP keep-alive", "http", FAST_WSGI_PEERS, module="flask_hello"),
  Workload("wsgi-100k", "WSGI, answers of 100 KiB", "http", FAST_WSGI_PEERS, path="/100k",
           module="wsgi_sizes"),
  Workload("wsgi-upload", "WSGI, uploads of 1 MiB", "http", FAST_WSGI_PEERS, path="/len", post=1 << 20,
           connections=16, module="wsgi_sizes"),
  Workload("asgi", "ASGI hello, HTTP keep-alive", "http", ASGI_PEERS, module="asgi_hello"),
  Workload("asgi-starlette", "Starlette hello, HTTP keep-alive", "http", ASGI_PEERS, module="asgi_starlette"),
  Workload("asgi-fastapi", "FastAPI hello, HTTP keep-alive", "http", ASGI_PEERS, module="asgi_fastapi"),
  *[Workload(f"wsgi-{protocol}", f"WSGI hello, {title} per connection, unix socket", protocol,
             ("nsgi-python", "uwsgi-python"), family="unix")
    for protocol, title in (("uwsgi", "uwsgi"), ("scgi", "SCGI"), ("fcgi", "FastCGI"))],
  Workload("idle", "Memory of 10,000 idle keep-alive connections", "http", NATIVE + HTTP_PEERS,
           kind=Kind.IDLE, connections=10000),
  Workload("start", "Start to first answer", "http", FORMS + HTTP_PEERS, kind=Kind.START, quick=True),
  Workload("cgi", "CGI: start to end of answer", "cgi", FORMS, kind=Kind.CGI, quick=True),
]

# Not part of a full run; named with --only.
PYTHON = ("wsgi", "asgi")
ON_REQUEST = {workload.name for workload in WORKLOADS if workload.name.startswith(PYTHON)} | {"http-two"}


def find(names: list[str], quick: bool) -> list[Workload]:
  """The workloads of this run, in the table's order."""
  known = {workload.name for workload in WORKLOADS}
  unknown = [name for name in names if name not in known]
  if unknown:
    raise SystemExit(f"run.py: no workload {unknown[0]}; there are {', '.join(sorted(known))}")
  if names:
    return [workload for workload in WORKLOADS if workload.name in names]
  return [workload for workload in WORKLOADS
          if workload.name not in ON_REQUEST and (workload.quick or not quick)]
