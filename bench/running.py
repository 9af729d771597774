"""A server that runs: started in its own directory on CPU 0, loaded from CPU 1, stopped with its children."""
from dataclasses import replace
import json
import os
from pathlib import Path
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import machine
from peers import VENV
from servers import BIN, Spec, base_protocol
from workloads import Workload

HERE = Path(__file__).resolve().parent


class ServerError(Exception):
  """The server did not start, or did not answer."""


def free_port() -> int:
  """A port that nobody listens on."""
  with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    return probe.getsockname()[1]


class Running:
  """One start of a server for one workload; a context manager."""

  def __init__(self, spec: Spec, protocol: str, family: str, module: str = "wsgi_hello",
               patience: float = 15):
    self.spec, self.patience = spec, patience  # seconds until it listens
    self.directory = Path(tempfile.mkdtemp(prefix="bench-"))
    self.directory.chmod(0o755)
    port, path = free_port(), self.directory / "socket"
    is_unix = family == "unix"
    self.address = f"unix:{path}" if is_unix else f"127.0.0.1:{port}"
    self._values = {
      "port": str(port), "socket": str(path), "directory": str(self.directory), "bin": str(BIN),
      "here": str(HERE), "venv": str(VENV), "module": module,
      "address": str(path) if is_unix else self.address,
      "reference_address": self.address if is_unix else str(port),
      "spawn_address": f"-s {path}" if is_unix else f"-a 127.0.0.1 -p {port}",
    }
    self.command = self._fill(spec.commands[base_protocol(protocol)])
    self.started = 0.0

  def _fill(self, text: str) -> str:
    for name, value in self._values.items():
      text = text.replace("{" + name + "}", value)
    return text

  def __enter__(self) -> "Running":
    for name, text in self.spec.files.items():
      path = self.directory / name
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(self._fill(text))
    self._log = open(self.directory / "log", "w")
    environment = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    self.started = time.monotonic()
    self.process = subprocess.Popen(
      ["taskset", "-c", self.spec.cpus, *shlex.split(self.command)], stdin=subprocess.DEVNULL,
      stdout=self._log, stderr=self._log, start_new_session=True, cwd=self.directory, env=environment)
    try:
      self._await_listening()
    except ServerError:
      self.__exit__()
      raise
    return self

  def connect(self) -> socket.socket:
    """A connection to the server."""
    if self.address.startswith("unix:"):
      connection = socket.socket(socket.AF_UNIX)
      connection.connect(self.address[5:])
      return connection
    host, port = self.address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), 1)

  def _await_listening(self):
    end = time.monotonic() + self.patience
    while True:
      try:
        self.connect().close()
        return
      except OSError:
        if self.process.poll() is not None or time.monotonic() > end:
          text = Path(self.directory / "log").read_text().strip().splitlines()
          raise ServerError(text[-1] if text else f"does not listen: {self.command}") from None
        time.sleep(0.0005)

  def pids(self) -> list[int]:
    """The server's processes."""
    return machine.session(self.process.pid)

  def __exit__(self, *_):
    for kind, patience in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0)):
      alive = [pid for pid in self.pids() if machine.is_alive(pid)]
      for pid in alive:
        try:
          os.kill(pid, kind)
        except ProcessLookupError:
          continue
      end = time.monotonic() + patience
      while any(map(machine.is_alive, alive)) and time.monotonic() < end:
        self.process.poll()
        time.sleep(0.005)
    self.process.wait()
    self._log.close()
    shutil.rmtree(self.directory, ignore_errors=True)


def generator(running: Running, workload: Workload, *more: str) -> list[str]:
  """The command of the load generator."""
  command = ["taskset", "-c", machine.CPU_LOAD, str(BIN / "gwload")]
  command += ["-p", workload.protocol, "-a", running.address]
  command += ["-c", str(workload.connections), "-k", str(workload.pipeline), "-u", workload.path]
  if workload.post is not None:
    command += ["-P", str(workload.post)]
  if running.spec.uwsgi_modifier:
    command += ["-m", str(running.spec.uwsgi_modifier)]
  return command + list(more)


def await_answer(running: Running, workload: Workload):
  """Until the server answers: one that listens may still be loading its application."""
  one = replace(workload, connections=1, pipeline=1)
  subprocess.run(generator(running, one, "-n", "1", "-t", "20"), stdout=subprocess.DEVNULL, check=False)


def load(running: Running, workload: Workload, seconds: float, warmup: float) -> dict:
  """Loads the server; the generator's report with `us`, the server's CPU microseconds per request."""
  command = generator(running, workload, "-d", f"{seconds:g}", "-w", f"{warmup:g}")
  with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
    if process.stdout.readline().strip() != "begin":
      raise ServerError("the load generator failed")
    pids = running.pids()
    meter, cpu, began = machine.NoiseMeter(), machine.cpu_seconds(pids), time.monotonic()
    line = process.stdout.readline()
    used, elapsed = machine.cpu_seconds(pids) - cpu, time.monotonic() - began
  report = json.loads(line)
  if not report["requests"]:
    raise ServerError("no complete answer")
  noise = meter.result(elapsed, used + report["load_cpu"] * report["seconds"])
  report["us"] = used / report["requests"] * 1e6
  report["server_cpu"] = used / elapsed
  report["steal"], report["foreign"] = noise.steal, noise.foreign
  report["pss_kib"], report["rss_kib"] = machine.memory_kib(pids)
  return report


class IdleConnections:
  """Connections that have made one request and now do nothing; a context manager."""

  def __init__(self, running: Running, workload: Workload, count: int):
    command = generator(running, workload, "-i", "600")
    command[command.index("-c", 4) + 1] = str(count)
    self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    words = self.process.stdout.readline().split()
    self.held = int(words[1].split("=")[1]) if words else 0

  def __enter__(self) -> "IdleConnections":
    return self

  def __exit__(self, *_):
    self.process.kill()
    self.process.wait()
    self.process.stdout.close()
