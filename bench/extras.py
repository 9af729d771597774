"""Measurements that are no load: memory of idle connections, start of a server, CGI."""
import os
import shlex
from statistics import median
import subprocess
import time

import machine
from running import IdleConnections, Running, ServerError
from servers import BIN, Spec
from workloads import Kind, Workload

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
CGI_RUNS = 20
CGI_ENVIRONMENT = {
  "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "REQUEST_URI": "/", "SCRIPT_NAME": "",
  "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "localhost",
  "SERVER_PORT": "80", "REMOTE_ADDR": "127.0.0.1", "SERVER_SOFTWARE": "bench", "HTTP_HOST": "localhost",
}


def measure(workload: Workload, spec: Spec, is_reference: bool) -> dict:
  """One round of one server."""
  match workload.kind:
    case Kind.IDLE: return idle(workload, spec)
    case Kind.START: return start(spec)
    case _: return cgi(spec, is_reference)


def idle(workload: Workload, spec: Spec) -> dict:
  """Memory before and with idle connections, each of which has made one request."""
  with Running(spec, workload.protocol, workload.family) as running:
    first_answer(running)
    before, _ = machine.memory_kib(running.pids())
    with IdleConnections(running, workload, workload.connections) as held:
      after, rss = machine.memory_kib(running.pids())
    if held.held < workload.connections:
      raise ServerError(f"holds only {held.held} idle connections")
    return {"each_bytes": (after - before) * 1024 / held.held, "pss_kib": after, "rss_kib": rss,
            "empty_pss_kib": before}


def first_answer(running: Running):
  """One request over HTTP."""
  with running.connect() as connection:
    connection.sendall(REQUEST)
    if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
      raise ServerError("no answer with status 200")


def start(spec: Spec) -> dict:
  """Milliseconds from the start of the process to the first answer, its CPU time until then, its memory."""
  with Running(spec, "http", "tcp") as running:
    first_answer(running)
    elapsed = time.monotonic() - running.started
    pids = running.pids()
    pss, rss = machine.memory_kib(pids)
    return {"ms": elapsed * 1e3, "cpu_ms": machine.cpu_seconds(pids) * 1e3, "pss_kib": pss, "rss_kib": rss}


def cgi(spec: Spec, is_reference: bool) -> dict:
  """Milliseconds and CPU milliseconds of a CGI process, of several runs each with its own process."""
  if is_reference:
    command = [f"{BIN}/limit_cgi"]
  else: # the server, "--app" and the app, as for HTTP
    command = [*shlex.split(spec.commands["http"])[:3], "-L", "--cgi"]
  everywhere = os.sched_getaffinity(0)
  # Inherited by the process. taskset would be a second program to start.
  os.sched_setaffinity(0, {int(machine.CPU_SERVER)})
  try:
    runs = [cgi_run(command) for _ in range(CGI_RUNS)]
  finally:
    os.sched_setaffinity(0, everywhere)
  return {"ms": median(elapsed for elapsed, _ in runs) * 1e3, "cpu_ms": median(cpu for _, cpu in runs) * 1e3}


def cgi_run(command: list[str]) -> tuple[float, float]:
  """Seconds until the end of the answer, and CPU seconds, of one process."""
  began = time.monotonic()
  process = subprocess.Popen(command, env=CGI_ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
  answer = process.stdout.read()
  elapsed = time.monotonic() - began
  process.stdout.close()
  _, status, usage = os.wait4(process.pid, 0)
  process.returncode = os.waitstatus_to_exitcode(status)
  if process.returncode or not answer.startswith(b"Status: 200"):
    raise ServerError(f"the CGI program failed with {process.returncode}")
  return elapsed, usage.ru_utime + usage.ru_stime
