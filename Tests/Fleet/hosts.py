"""What the tests of a fleet have in common: builds of an app, servers that stand for hosts, and the
configurations of docs/deploy/fleet with the test's places in them."""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

PROJECT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = PROJECT / "docs/deploy/fleet"
SERVER = os.environ.get("SERVER_UNDER_TEST", str(PROJECT / ".build/release/server"))
TOOLS = pathlib.Path(os.environ.get("FLEET_TOOLS", PROJECT / ".build/fleet")) / "bin"
SECONDS = 60


def build(folder: pathlib.Path, letter: str, *defines: str) -> pathlib.Path:
  """A build of app.c that answers with this letter."""
  path = folder / f"{letter}{''.join(defines)}.so"
  flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", f"-I{PROJECT}/Sources/CNSGI/include"]
  subprocess.run(["cc", *flags, f"-DBUILD='{letter}'", *[f"-D{word}" for word in defines], "-o", path,
                  PROJECT / "Tests/Fleet/app.c"], check=True)
  return path


def until(what: str, is_so, seconds: float = SECONDS):
  """The first value of `is_so` that is true; the deadline only bounds the wait."""
  end = time.monotonic() + seconds
  while time.monotonic() < end:
    if found := is_so(): return found
    time.sleep(0.05)
  raise AssertionError(f"{what}: not within {seconds} s")


def free_port() -> int:
  with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    return probe.getsockname()[1]


def listens(port: int) -> bool:
  with socket.socket() as probe: return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(url: str, seconds: float = 10) -> tuple[int, str]:
  try:
    with urllib.request.urlopen(url, timeout=seconds) as answer:
      return answer.status, answer.read().decode()
  except urllib.error.HTTPError as error:
    return error.code, error.read().decode()


class Server:
  """A server that stands for a host. `prefix` is put before each command, as `ip netns exec` is."""

  def __init__(self, name: str, folder: pathlib.Path, words: list, *, prefix=(), **environment: str):
    self.name, self.folder, self.prefix = name, folder / name, list(prefix)
    self.folder.mkdir()
    self.control, self.log = self.folder / "control", self.folder / "log"
    self.words = [*self.prefix, SERVER, *map(str, words), "--control-socket", str(self.control)]
    self.environment = {**os.environ, "FLEET_HOST": name, **environment}
    self.process = None

  def start(self):
    with self.log.open("a") as log:
      self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                      env=self.environment, cwd=self.folder, start_new_session=True)
    self.wait(r"(http) socket \S+ ready")
    return self

  def text(self) -> str:
    return self.log.read_text()

  def wait(self, pattern: str) -> str:
    """The first group of a line of the log, once it is there."""
    def found():
      if match := re.search(pattern, self.text()): return match[1]
      if self.process.poll() is not None: raise AssertionError(f"{self.name} has ended:\n{self.text()}")
      return None
    return until(f"{pattern} of {self.name}", found)

  def address(self, kind: str = "http") -> str:
    return self.wait(rf"{kind} socket (\S+) ready")

  def ctl(self, *words: str) -> dict:
    """The answer of `server ctl --json`, its last line."""
    done = subprocess.run([*self.prefix, SERVER, "ctl", "--control-socket", self.control, "--json", *words],
                          capture_output=True, text=True, timeout=SECONDS)
    return json.loads(done.stdout.splitlines()[-1])

  def status(self) -> dict:
    return self.ctl("status")["answer"]

  def processes(self) -> list[int]:
    """The master, its workers and what else it has started."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True,
                           text=True)
    return [self.process.pid, *map(int, found.stdout.split())]

  def kill(self):
    """Ends all of it at once, as the end of its machine would."""
    for pid in self.processes():
      with contextlib.suppress(ProcessLookupError): os.kill(pid, signal.SIGKILL)
    self.process.wait(SECONDS)

  def stop(self):
    if self.process and self.process.poll() is None:
      self.process.terminate()
      try:
        self.process.wait(SECONDS)
      except subprocess.TimeoutExpired:
        self.kill()


class Program:
  """Something else that runs beside: a balancer."""

  def __init__(self, words: list, folder: pathlib.Path, name: str):
    self.log = folder / f"{name}.log"
    with self.log.open("w") as log:
      self.process = subprocess.Popen([*map(str, words)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                      cwd=folder, start_new_session=True,
                                      env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"})

  def stop(self):
    if self.process.poll() is None: self.process.terminate()
    self.process.wait(SECONDS)


def placed(file: str, places: dict[str, str]) -> str:
  """A file of docs/deploy/fleet with other places; each has to stand there."""
  text = (DEPLOY / file).read_text()
  for fixed, actual in places.items():
    if fixed not in text: raise AssertionError(f"{file}: no {fixed}")
    text = text.replace(fixed, actual)
  return text


def haproxy_says(stats: pathlib.Path, line: str) -> str:
  """An answer of HAProxy's own socket."""
  with socket.socket(socket.AF_UNIX) as connection:
    connection.settimeout(10)
    connection.connect(str(stats))
    connection.sendall(line.encode() + b"\n")
    pieces = iter(lambda: connection.recv(65536), b"")
    return b"".join(pieces).decode()


def haproxy_servers(stats: pathlib.Path) -> dict[str, dict[str, str]]:
  """A row of `show stat` for each server."""
  lines = haproxy_says(stats, "show stat").lstrip("# ").strip().splitlines()
  names = lines[0].split(",")
  rows = [dict(zip(names, line.split(","))) for line in lines[1:]]
  return {row["svname"]: row for row in rows if row["svname"] not in ("FRONTEND", "BACKEND")}


def playbook(folder: pathlib.Path, hosts: list[Server], new: pathlib.Path, *, ready: dict[str, str],
             prefix=(), patience: int = 60) -> subprocess.CompletedProcess:
  """Runs the playbook of docs/deploy/fleet over these servers, on this machine."""
  lines = ["[nsgi]"]
  for host in hosts:
    control = " ".join([*host.prefix, SERVER, "ctl", "--control-socket", str(host.control)])
    lines.append(f"{host.name} nsgi_file={host.folder}/app.so nsgi_ready_url={ready[host.name]} "
                 f"nsgi_ctl='{control}'")
  here = f"ansible_connection=local ansible_python_interpreter={TOOLS}/python nsgi_mount=/"
  lines += ["[nsgi:vars]", *here.split(), f"nsgi_patience={patience}"]
  inventory = folder / "inventory.ini"
  inventory.write_text("\n".join(lines) + "\n")
  words = [*prefix, TOOLS / "ansible-playbook", "-i", inventory, DEPLOY / "ansible/swap.yml",
           "-e", f"nsgi_build={new}"]
  own = {"ANSIBLE_LOCALHOST_WARNING": "false", "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}
  return subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=900,
                        env={**os.environ, **own})
