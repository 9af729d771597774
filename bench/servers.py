"""The servers that are measured: this one with its apps, the bare C references, and the peers of peers.py."""
from dataclasses import dataclass, field
from pathlib import Path
import os
import shutil

import machine
import peers

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / ".build" / "bench"
BIN = OUT / "bin"
APPS = ROOT / ".build" / "apps"
PYTHON_PLUGIN = "libpython3_plugin.so"
TLS_LIBRARY = "libnsgi_tls.so"
# BENCH_SERVER=… measures another build of the server, BENCH_OTHER=… one beside it (the row nsgi-other).
SERVER = Path(os.environ.get("BENCH_SERVER", ROOT / ".build" / "release" / "server"))
OTHER = os.environ.get("BENCH_OTHER")


@dataclass(frozen=True)
class Spec:
  """How a server is started for each protocol that it speaks.

  The commands' placeholders: {address} (127.0.0.1:PORT or the socket's path), {port}, {socket},
  {reference_address} (as the references take it), {spawn_address} (as spawn-fcgi takes it), {directory} (the
  server's own, holding `files`), {bin}, {here} (this folder), {venv} (packages of the Python peers) and
  {module} (the Python application).
  """
  name: str
  title: str
  commands: dict[str, str]  # protocol (http, scgi, uwsgi, fcgi) -> command
  files: dict[str, str] = field(default_factory=dict)
  needs: tuple[str, ...] = ()  # programs and files without which it cannot be measured
  families: tuple[str, ...] = ("tcp", "unix")
  uwsgi_modifier: int = 0
  cpus: str = machine.CPU_SERVER  # as taskset takes them

  def lacks(self) -> list[str]:
    """What of `needs` is not there."""
    paths = [need.replace("{bin}", str(BIN)) for need in self.needs]
    places = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [need.replace(f"{ROOT}/", "") for need in paths
            if not (os.path.exists(need) if "/" in need else shutil.which(need, path=places))]


def base_protocol(protocol: str) -> str:
  """http-close and http are one socket's protocol, fcgi-keep and fcgi too."""
  return protocol.removesuffix("-keep").removesuffix("-close")


OPTIONS = {
  "http": "--http-socket", "scgi": "--scgi-socket", "uwsgi": "--uwsgi-socket", "fcgi": "--fastcgi-socket",
}


def nsgi(name: str, title: str, app: str, server: Path = SERVER, workers: int = 1, more: str = "") -> Spec:
  """This server. Its access log is off like everybody's; a worker has one thread until a call is slow."""
  command = f"{server} --app {APPS / app} -L --listen 4096 {more}"
  cpus = machine.CPU_SERVER
  if workers > 1: # the generator shares the second CPU with them
    command += f" -M -p {workers}"
    cpus = f"{machine.CPU_SERVER},{machine.CPU_LOAD}"
  commands = {protocol: f"{command} {option} {{address}}" for protocol, option in OPTIONS.items()}
  return Spec(name, title, commands, needs=(str(server), str(APPS / app)), cpus=cpus)


def wsgi(name: str, title: str, server: Path = SERVER, module: str = "{module}") -> Spec:
  """This server with the application of the Python peers, in the plugin python3 that lies beside it."""
  command = (f"{server} --no-master --plugin python3 --pythonpath {ROOT}/bench/peers --module {module} "
             "--virtualenv {venv} -L --listen 4096")
  commands = {protocol: f"{command} {option} {{address}}" for protocol, option in OPTIONS.items()}
  return Spec(name, title, commands, needs=(str(server), str(server.parent / PYTHON_PLUGIN), peers.PYTHON))


def reference(protocol: str) -> Spec:
  """The bare C server of a protocol."""
  program = "limit_http" if protocol == "http" else f"limit_gw {protocol}"
  return Spec(f"limit_{protocol}", "bare C, epoll", {protocol: f"{{bin}}/{program} {{reference_address}}"})


REFERENCES = {protocol: reference(protocol) for protocol in OPTIONS}

SPECS = {spec.name: spec for spec in [
  nsgi("nsgi-full", "nsgi-server, C app, full form", "bench_app.so"),
  nsgi("nsgi-epoll", "nsgi-server, C app, full form, on epoll", "bench_app.so", more="--io epoll"),
  nsgi("nsgi-plain", "nsgi-server, C app, plain form", "hello_world_app.so"),
  nsgi("nsgi-swift", "nsgi-server, Swift app", "hello_swift.so"),
  wsgi("nsgi-python", "nsgi-server, Python app"),
  nsgi("nsgi-two", "nsgi-server, two workers on two cores", "bench_app.so", workers=2),
  Spec("limit_whole", "bare C, epoll, the body kept whole",
       {"http": "{bin}/limit_http {reference_address} whole"}),
  Spec("limit_uring", "bare C, io_uring", {"http": "{bin}/limit_uring {port}"}, needs=("{bin}/limit_uring",),
       families=("tcp",)),
  *[Spec(**peer) for peer in peers.PEERS],
  *([nsgi("nsgi-other", "nsgi-server, other build", "bench_app.so", Path(OTHER))] if OTHER else []),
]}
