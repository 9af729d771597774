#!/usr/bin/env python3
"""What TLS and HTTP/2 cost without a web server in front: CPU time of requests, memory of idle connections.

One process each on CPU 0, the generators (wrk, h2load) on CPU 1. The reference is bare C: plain HTTP/1.1
(limit_http), or OpenSSL in the least server around it (limit_tls) where the work is the library's. Rounds are
those of paired.py; the opening of connections counts, for all alike. Then what a bystander notices of floods
(floods.py). Prints Markdown tables; run by `make bench-front-door`.
"""
import argparse
from dataclasses import dataclass
import os
import re
import resource
import socket
import ssl
from statistics import median
import subprocess
import tempfile

import floods
import machine
import paired
from report import spread
from running import Running, ServerError
from servers import APPS, REFERENCES, SERVER, Spec

NSGI = f"{SERVER} --app {APPS}/bench_app.so -L --listen 4096"
NGINX = """
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000; pid {directory}/nginx.pid;
error_log /dev/null crit;
events { worker_connections 16000; }
http {
  access_log off; server_tokens off; default_type text/plain; keepalive_requests 1000000000;
  keepalive_timeout 300; client_body_temp_path {directory}; proxy_temp_path {directory};
  fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server {
    listen 127.0.0.1:{port} backlog=4096 HOW;
    MORE
    root {directory}/www;
    location = / { return 200 "Hello World\\n"; }
  }
}
"""
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True)
class Work:
  """A row: what is asked for, and what it is compared with."""
  title: str
  servers: tuple[str, ...]
  reference: str
  connections: int
  path: str = "/"
  streams: int = 0  # of HTTP/2; 0: HTTP/1.1
  closes: bool = False  # a connection, and a handshake, for each request


TLS, H2 = ("limit_tls", "nsgi-tls", "nginx-tls"), ("limit_h2", "nsgi-h2", "nginx-h2")
WORKS = {
  "tls-keep": Work("TLS keep-alive, 64 connections", TLS, "limit_http", 64),
  "tls-handshake": Work("full handshake and one request", TLS[1:], "limit_tls", 16, closes=True),
  "tls-100k": Work("100 KiB over TLS, 16 connections", TLS[1:], "limit_tls", 16, "/100k"),
  "h2-streams": Work("HTTP/2, 16 connections of 32 streams", H2, "limit_http", 16, streams=32),
  "h2-connections": Work("HTTP/2, 64 connections of 1 stream", H2, "limit_http", 64, streams=1),
}


def nginx(name: str, title: str, how: str, more: str = "") -> Spec:
  """With a file of 100 KiB beside the hello."""
  text = NGINX.replace("HOW", how).replace("MORE", more)
  return Spec(name, title, {"http": "nginx -p {directory} -c {directory}/nginx.conf"},
              {"nginx.conf": text, "www/100k": "x" * 102400}, needs=("nginx",), families=("tcp",))


def servers(certificate: str, key: str) -> dict[str, Spec]:
  """All of them by their names."""
  def bare(name: str, title: str, more: str = "") -> Spec:
    command = f"{{bin}}/{name} {{reference_address}} {more}"
    return Spec(name, title, {"http": command}, needs=(f"{{bin}}/{name}",), families=("tcp",))

  def own(name: str, title: str, way: str, *needs: str) -> Spec:
    return Spec(name, title, {"http": f"{NSGI} {way}"}, needs=(str(SERVER), *needs), families=("tcp",))

  sealed = f"ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;"
  found = [
    REFERENCES["http"], bare("limit_tls", "OpenSSL in bare C", f"{certificate} {key}"),
    own("nsgi-tls", "nsgi-server", f"--https-socket {{address}},{certificate},{key}",
        f"{SERVER.parent}/libnsgi_tls.so"),
    nginx("nginx-tls", "nginx", "ssl", sealed), bare("limit_h2", "libnghttp2 in bare C"),
    own("nsgi-h2", "nsgi-server", "--http-socket {address}"), nginx("nginx-h2", "nginx", "http2"),
  ]
  return {spec.name: spec for spec in found}


def make_certificate(certificate: str, key: str):
  """One that signs itself, and its key: P-256."""
  kind = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
  names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]
  subprocess.run(["openssl", *kind.split(), *names], check=True, capture_output=True)


def command(work: Work, running: Running, seconds: int) -> list[str]:
  """The generator's."""
  name = running.spec.name
  scheme = "https" if name.endswith(("_tls", "-tls")) else "http"
  url = f"{scheme}://{running.address}{work.path}"
  words = ["taskset", "-c", machine.CPU_LOAD]
  if not work.streams:
    words += ["wrk", "-t1", f"-c{work.connections}", f"-d{seconds}s"]
    return words + (["-H", "Connection: close"] if work.closes else []) + [url]
  is_http1 = name == "limit_http"
  words += ["h2load", "-t1", f"-D{seconds}", f"-c{work.connections}"]
  return words + (["--h1", "-m1"] if is_http1 else [f"-m{work.streams}"]) + [url]


def load(work: Work, running: Running, seconds: int) -> dict:
  """Loads a server; `us` is its CPU time for a request, and `rps` how many it answered in a second."""
  pids = running.pids()
  meter, cpu = machine.NoiseMeter(), machine.cpu_seconds(pids)
  before = os.times()
  found = subprocess.run(command(work, running, seconds), capture_output=True, text=True, check=False)
  used, after = machine.cpu_seconds(pids) - cpu, os.times()
  own = after.children_user + after.children_system - before.children_user - before.children_system
  pattern = r"(\d+) succeeded" if work.streams else r"(\d+) requests in"
  answered = re.search(pattern, found.stdout)
  bad = re.search(r"Non-2xx.*|[1-9]\d* failed", found.stdout)
  if not answered or not int(answered[1]) or bad:
    why = bad[0] if bad else (found.stderr or found.stdout).strip()[-200:]
    raise ServerError(why or "no complete answer")
  requests = int(answered[1])
  return {"us": used / requests * 1e6, "rps": requests / seconds,
          "foreign": meter.result(after.elapsed - before.elapsed, used + own).foreign}


def sealed_connection(running: Running, context: ssl.SSLContext) -> socket.socket:
  """A TLS connection that has had one answer."""
  connection = context.wrap_socket(running.connect(), server_hostname="localhost")
  connection.sendall(REQUEST)
  if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
    raise ServerError("no answer with status 200")
  return connection


def idle(spec: Spec, certificate: str, count: int) -> float:
  """Bytes of memory (PSS) for each kept TLS connection."""
  context = ssl.create_default_context(cafile=certificate)
  held = []
  with Running(spec, "http", "tcp") as running:
    try:
      held.append(sealed_connection(running, context))
      empty, _ = machine.memory_kib(running.pids())
      for _ in range(count):
        held.append(sealed_connection(running, context))
      full, _ = machine.memory_kib(running.pids())
    except OSError as error:
      raise ServerError(str(error)) from None
    finally:
      for connection in held:
        connection.close()
  return (full - empty) * 1024 / count


def tables(options: argparse.Namespace, folder: str) -> list[str]:
  """Both, and what is missing."""
  certificate, key = f"{folder}/certificate.pem", f"{folder}/key.pem"
  make_certificate(certificate, key)
  specs, missing, noise = servers(certificate, key), {}, []
  lines = ["| work | server | CPU µs/request | ratio (quartiles) | to | requests/s |",
           "|---|---|--:|--:|---|--:|"]
  for name in (name for name in options.only if name != "floods"):
    work = WORKS[name]
    present = paired.present([specs[one] for one in work.servers], options.servers, missing)
    reference = specs[work.reference]
    if reference.lacks():
      missing[work.title] = f"no {reference.lacks()[0]}"
      continue
    found = paired.rounds(options.rounds, reference, present, lambda spec: Running(spec, "http", "tcp"),
                          lambda running, _, work=work: load(work, running, options.seconds), missing)
    for title, steps in found.items():
      of = {key: median(step[key] for step in steps) for key in ("us", "rps")}
      noise += [step["foreign"] for step in steps]
      title = f"{reference.title} (A/A)" if title == paired.AGAIN else title
      lines.append(f"| {work.title} | {title} | {of['us']:.2f} | {spread([step['ratio'] for step in steps])} "
                   f"| {reference.title} | {of['rps']:,.0f} |")
  lines += ["", f"| {options.idle:,} idle TLS connections | bytes each (PSS) |", "|---|--:|"]
  for spec in paired.present([specs[name] for name in TLS], options.servers, missing):
    try:
      lines.append(f"| {spec.title} | {idle(spec, certificate, options.idle):,.0f} |")
    except ServerError as error:
      missing[f"{spec.title}, idle"] = str(error)
  if noise:
    lines += ["", f"CPU taken by others: median {median(noise):.1%} of one, at most {max(noise):.1%}."]
  if missing:
    lines += ["", f"Not measured: {'; '.join(f'{name} ({why})' for name, why in missing.items())}."]
  return lines


def main():
  """Prints the tables."""
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  add = parser.add_argument
  add("--rounds", type=int, default=5, help="(default: 5)")
  add("--seconds", type=int, default=3, help="of load in each step (default: 3)")
  works = [*WORKS, "floods"]
  add("--only", nargs="+", choices=works, default=works, help="(default: all)")
  add("--servers", nargs="+", default=[], metavar="NAME", help="these, beside the reference; not all")
  add("--idle", type=int, default=1000, help="TLS connections that are kept (default: 1000)")
  options = parser.parse_args()
  # A server's descriptors too: it inherits the limit.
  most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
  resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
  os.sched_setaffinity(0, {int(machine.CPU_LOAD)})
  for text in machine.warnings():
    print(f"bench: {text}")
  print(f"{machine.describe()}; {options.rounds} rounds of {options.seconds} s.\n", flush=True)
  with tempfile.TemporaryDirectory(prefix="bench-tls-") as folder:
    if options.only != ["floods"]:
      print("\n".join(tables(options, folder)), flush=True)
    if "floods" in options.only:
      certificate, key = f"{folder}/flooded.pem", f"{folder}/flooded.key"
      make_certificate(certificate, key)
      print("\n".join(["", *floods.table(options.rounds, options.seconds, certificate, key)]))


if __name__ == "__main__":
  main()
