"""What workers of a Django project with its admin hold together, and how soon one is replaced: preloaded and
not, beside uWSGI and gunicorn where they are installed.

    bench/preload.py --python .build/frameworks [--workers 3 8] [--rounds 5]

Memory is the sum of the proportional shares (PSS) of all processes of a server after some requests to each
worker. A replacement is the time from a worker's SIGKILL to the answer of the next request, with one worker.
"""
import argparse
import http.client
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVER = ROOT / ".build/release/server"
PAGE = "/admin/login/"


def make_project(folder: Path, python: Path) -> None:
  """A Django project with its admin."""
  subprocess.run([python / "bin/django-admin", "startproject", "shop", folder], check=True)
  settings = folder / "shop/settings.py"
  text = settings.read_text().replace("DEBUG = True", "DEBUG = False")
  settings.write_text(text.replace("ALLOWED_HOSTS = []", "ALLOWED_HOSTS = ['*']"))


def free_port() -> int:
  """A port that nobody listens at."""
  with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    return listener.getsockname()[1]


def commands(python: Path, folder: Path, workers: int, port: int) -> dict[str, list[str]]:
  """The servers that are here, by what they are called in the table."""
  own = [str(SERVER), "-L", "-p", str(workers), "-H", str(python), "--pythonpath", str(folder),
         "-w", "shop.wsgi", "--http-socket", f"127.0.0.1:{port}", "--threads", "1"]
  found = {"nsgi-server": own, "nsgi-server --preload": [*own, "--preload"]}
  uwsgi = python / "bin/uwsgi"
  uwsgi = uwsgi if uwsgi.exists() else shutil.which("uwsgi")
  if uwsgi:
    found["uWSGI"] = [str(uwsgi), "--master", "--processes", str(workers), "--chdir", str(folder),
                      "-H", str(python), "--module", "shop.wsgi", "--http-socket", f"127.0.0.1:{port}",
                      "-L", "--need-app"]
  gunicorn = python / "bin/gunicorn"
  if gunicorn.exists():
    found["gunicorn --preload"] = [str(gunicorn), "--preload", "-w", str(workers), "--chdir", str(folder),
                                   "-b", f"127.0.0.1:{port}", "shop.wsgi"]
  return found


def get(port: int, seconds: float = 30) -> None:
  """One request; waits until somebody listens."""
  end = time.monotonic() + seconds
  while True:
    try:
      connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
      connection.request("GET", PAGE)
      answer = connection.getresponse()
      answer.read()
      assert answer.status == 200, answer.status
      connection.close()
      return
    except (ConnectionError, http.client.RemoteDisconnected):
      if time.monotonic() > end:
        raise
      time.sleep(0.001)


def family(pid: int) -> list[int]:
  """A process and all below it."""
  found = [pid]
  for task in Path(f"/proc/{pid}/task").iterdir():
    for child in (task / "children").read_text().split():
      found += family(int(child))
  return found


def share(pid: int) -> int:
  """The proportional share of a process in KiB."""
  lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
  return int(next(line for line in lines if line.startswith("Pss:")).split()[1])


def serve(command: list[str], port: int) -> subprocess.Popen:
  """A server that answers."""
  process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
  get(port)
  return process


def stop(process: subprocess.Popen) -> None:
  """Ends a server; SIGTERM reloads uWSGI."""
  process.send_signal(signal.SIGINT)
  try:
    process.wait(20)
  except subprocess.TimeoutExpired:
    process.kill()
    process.wait()


def memory(command: list[str], port: int, workers: int) -> float:
  """MiB of all processes, after requests that have reached every worker, most probably."""
  process = serve(command, port)
  try:
    for _ in range(40 * workers):
      get(port)
    time.sleep(0.5)
    return sum(share(pid) for pid in family(process.pid)) / 1024
  finally:
    stop(process)


def replacement(command: list[str], port: int, rounds: int) -> float:
  """Milliseconds, the median; of a server of its own each time, since two deaths in a row bring a spare."""
  times = []
  for _ in range(rounds):
    process = serve(command, port)
    try:
      for _ in range(5):
        get(port)
      time.sleep(1.5)
      # The process that serves is the one that takes the most time for it, of all but the server itself.
      before = {pid: busy(pid) for pid in family(process.pid)[1:]}
      for _ in range(20):
        get(port)
      worker = max(before, key=lambda pid: busy(pid) - before[pid])
      began = time.monotonic()
      os.kill(worker, signal.SIGKILL)
      get(port)
      times.append((time.monotonic() - began) * 1000)
    finally:
      stop(process)
  return statistics.median(times)


def busy(pid: int) -> int:
  """Nanoseconds on a processor, of the first thread and all others."""
  return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


def main() -> int:
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
  parser.add_argument("--python", type=Path, default=ROOT / ".build/frameworks", help="with Django in it")
  parser.add_argument("--workers", type=int, nargs="+", default=[3, 8])
  parser.add_argument("--rounds", type=int, default=5)
  wanted = parser.parse_args()
  python = wanted.python.absolute()
  with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    make_project(folder, python)
    columns = [f"PSS of {count} workers, MiB" for count in wanted.workers]
    print("| server | " + " | ".join([*columns, "replacement, ms"]) + " |")
    print("|---|" + "--:|" * (len(columns) + 1))
    for title in commands(python, folder, 1, 0):
      cells = []
      for count in wanted.workers:
        port = free_port()
        cells.append(f"{memory(commands(python, folder, count, port)[title], port, count):.0f}")
      port = free_port()
      command = commands(python, folder, 1, port)[title]
      cells.append(f"{replacement(command, port, wanted.rounds):.0f}")
      print(f"| {title} | " + " | ".join(cells) + " |", flush=True)
  return 0


if __name__ == "__main__":
  sys.exit(main())
