"""Files of 1 KiB, 100 KiB and 10 MiB over HTTP keep-alive: CPU time for each request, beside nginx.

The same files for both, read before. One process each on CPU 0, the generator on CPU 1. Both servers with
what they have by themselves (nginx with sendfile), and in rows of their own with what asks the disk less
often: nginx's open_file_cache, and --static-cache-paths here. Rounds are interleaved, each has every row
once, and this server twice: how far the two are apart (A/A) is what a ratio may be off. Run by
`make bench-static`.
"""
import argparse
from pathlib import Path
from statistics import median
import tempfile

from report import spread
from running import Running, load
from servers import APPS, SERVER, Spec
from workloads import Workload

SIZES = {"1 KiB": ("1k", 1 << 10, 64), "100 KiB": ("100k", 100 << 10, 16), "10 MiB": ("10m", 10 << 20, 4)}
NGINX, SERVER_ROW, AGAIN = "nginx", "nsgi-server", "nsgi-server again (A/A)"
CACHED, NGINX_CACHED = "nsgi-server, static-cache-paths", "nginx, open_file_cache"

CONFIGURATION = """
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000; pid {directory}/nginx.pid;
error_log /dev/null crit;
events { worker_connections 4096; }
http {
  access_log off; server_tokens off; default_type application/octet-stream; keepalive_requests 1000000000;
  keepalive_timeout 300; sendfile on; tcp_nopush on; client_body_temp_path {directory};
  proxy_temp_path {directory}; fastcgi_temp_path {directory}; uwsgi_temp_path {directory};
  scgi_temp_path {directory};
  CACHE
  server { listen 127.0.0.1:{port} backlog=4096; root ROOT; }
}
"""


def specs(root: str) -> dict[str, Spec]:
  """The rows of the table."""
  command = (f"{SERVER} --no-master --app {APPS}/hello_world_app.so -L --listen 4096 --static-map /={root} "
             "--http-socket {address}")
  own = Spec("nsgi-static", "nsgi-server", {"http": command})

  def nginx(cache: str) -> Spec:
    text = CONFIGURATION.replace("ROOT", root).replace("CACHE", cache)
    return Spec("nginx-static", "nginx", {"http": "nginx -p {directory} -c {directory}/nginx.conf"},
                {"nginx.conf": text})

  return {
    NGINX: nginx(""), SERVER_ROW: own, AGAIN: own,
    NGINX_CACHED: nginx("open_file_cache max=1000 inactive=60s; open_file_cache_valid 60s;"),
    CACHED: Spec("nsgi-cached", "nsgi-server", {"http": command + " --static-cache-paths 60"}),
  }


def table(root: str, rounds: int, seconds: float, sizes: list[str]) -> list[str]:
  """CPU microseconds for each file and server, and their ratio to nginx's in the same round."""
  rows = specs(root)
  names = list(rows)
  lines = ["| file | server | requests/s | CPU µs/request | to nginx (quartiles) | errors |",
           "|---|---|--:|--:|--:|--:|"]
  noise: list[float] = []
  for size in sizes:
    name, _, connections = SIZES[size]
    workload = Workload(f"static-{name}", size, "http", (), path=f"/{name}", connections=connections)
    steps: dict[str, list[dict]] = {row: [] for row in names}
    for number in range(rounds):
      turn = number % len(names)
      for row in names[turn:] + names[:turn]:
        with Running(rows[row], "http", "tcp") as running:
          steps[row].append(load(running, workload, seconds, 0.3))
    for row, list_ in steps.items():
      base = steps[SERVER_ROW if row == AGAIN else NGINX]
      ratio = spread([step["us"] / other["us"] for step, other in zip(list_, base)])
      ratio = "" if row == NGINX else f"{ratio} to the other" if row == AGAIN else ratio
      lines.append(f"| {size} | {row} | {median(step['rps'] for step in list_):,.0f} "
                   f"| {median(step['us'] for step in list_):,.2f} | {ratio} "
                   f"| {sum(step['errors'] for step in list_)} |")
      noise += [step["foreign"] for step in list_]
  foreign = f"CPU taken by others: median {median(noise):.1%} of one."
  return lines + ["", f"{rounds} rounds of {seconds:g} s; {foreign}"]


def main():
  """The table."""
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  add = parser.add_argument
  add("--rounds", type=int, default=7, help="(default: 7)")
  add("--seconds", type=float, default=2, help="of load in each step (default: 2)")
  add("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES), help="(default: all)")
  parsed = parser.parse_args()
  with tempfile.TemporaryDirectory(prefix="bench-static-") as root:
    Path(root).chmod(0o755)
    for name, size, _ in SIZES.values():
      path = Path(root) / name
      path.write_bytes(bytes(range(256)) * (size // 256))
      path.chmod(0o644)
    print("\n".join(table(root, parsed.rounds, parsed.seconds, parsed.sizes)))


if __name__ == "__main__":
  main()
