"""The peers: how each is configured and started. One process that serves, on CPU 0; no access log."""
from pathlib import Path

VENV = Path(__file__).resolve().parent.parent / ".build" / "bench" / "venv"
PYTHON = f"{VENV}/bin/python"

UWSGI = ("uwsgi --die-on-term --disable-logging --listen 4096 --processes 1 --buffer-size 16384 "
         "--plugin 0:symcall --dlopen {bin}/uwsgi_hello.so --symcall bench_hello ")

UWSGI_PYTHON = ("uwsgi --die-on-term --need-app --disable-logging --listen 4096 --processes 1 "
                "--plugin python3 --chdir {here}/peers --virtualenv {venv} --module {module} ")

NGINX = """
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000; pid {directory}/nginx.pid;
error_log /dev/null crit;
events { worker_connections 16000; }
http {
  access_log off; server_tokens off; default_type text/plain; keepalive_requests 1000000000;
  keepalive_timeout 300; client_body_temp_path {directory}; proxy_temp_path {directory};
  fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server { listen 127.0.0.1:{port} backlog=4096; location / { return 200 "Hello World\\n"; } }
}
"""

LIGHTTPD = """
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{directory}/www"
server.max-fds = 20000
server.max-connections = 16000
server.listen-backlog = 4096
server.max-keep-alive-requests = 1000000000
server.max-keep-alive-idle = 300
server.errorlog = "/dev/null"
index-file.names = ("index.txt")
mimetype.assign = (".txt" => "text/plain")
"""

H2O = """
user: root
num-threads: 1
max-connections: 20000
http1-request-timeout: 300
error-log: /dev/null
listen:
  host: 127.0.0.1
  port: {port}
hosts:
  "*":
    paths:
      "/":
        file.dir: {directory}/www
        file.index: [index.txt]
"""

KORE = """
server plain {
  bind 127.0.0.1 {port}
  tls no
}
load {bin}/kore_hello.so
workers 1
worker_max_connections 12000
worker_rlimit_nofiles 20000
http_keepalive_time 300
http_request_limit 100000
domain * {
  attach plain
  route / page
}
"""

HELLO_FILE = {"www/index.txt": "Hello World\n"}


def wsgi(name: str, title: str, arguments: str, package: str = "") -> dict:
  """A Python server out of the virtual environment; its package, if that has another name."""
  return {"name": name, "title": title, "commands": {"http": f"{PYTHON} {arguments}"}, "families": ("tcp",),
          "needs": (f"{VENV}/lib/.installed-{package or name}",)}


PEERS = [
  {"name": "nginx", "title": "nginx, return 200", "families": ("tcp",), "needs": ("nginx",),
   "commands": {"http": "nginx -p {directory} -c {directory}/nginx.conf"}, "files": {"nginx.conf": NGINX}},
  {"name": "lighttpd", "title": "lighttpd, file", "families": ("tcp",), "needs": ("lighttpd",),
   "commands": {"http": "lighttpd -D -f {directory}/lighttpd.conf"},
   "files": {"lighttpd.conf": LIGHTTPD, **HELLO_FILE}},
  {"name": "h2o", "title": "h2o, file", "families": ("tcp",), "needs": ("h2o",),
   "commands": {"http": "h2o -c {directory}/h2o.yaml"}, "files": {"h2o.yaml": H2O, **HELLO_FILE}},
  {"name": "kore", "title": "kore, C page", "families": ("tcp",), "needs": ("kore", "{bin}/kore_hello.so"),
   "commands": {"http": "kore -nrqf -c {directory}/kore.conf"}, "files": {"kore.conf": KORE}},
  {"name": "uwsgi", "title": "uWSGI, C app", "needs": ("uwsgi", "{bin}/uwsgi_hello.so"),
   "commands": {"http": UWSGI + "--http11-socket {address}", "scgi": UWSGI + "--scgi-socket {address}",
                "uwsgi": UWSGI + "--socket {address}"}},
  {"name": "libfcgi", "title": "libfcgi, C app", "needs": ("spawn-fcgi", "{bin}/fcgi_hello"),
   "commands": {"fcgi": "spawn-fcgi -n -b 4096 {spawn_address} -- {bin}/fcgi_hello"}},
  wsgi("bjoern", "bjoern", "{here}/peers/serve_wsgi.py bjoern {port} {module}"),
  wsgi("fastwsgi", "FastWSGI", "{here}/peers/serve_wsgi.py fastwsgi {port} {module}"),
  wsgi("granian", "granian", "-m granian --interface wsgi --host 127.0.0.1 --port {port} --workers 1 "
       "--runtime-threads 1 --blocking-threads 1 --backlog 4096 --http 1 --no-access-log --log-level error "
       "--working-dir {here}/peers {module}:application"),
  wsgi("granian-asgi", "granian, uvloop", "-m granian --interface asgi --host 127.0.0.1 --port {port} "
       "--workers 1 --runtime-threads 1 --loop uvloop --backlog 4096 --http 1 --no-access-log "
       "--log-level error --working-dir {here}/peers {module}:application", "granian"),
  wsgi("uvicorn", "uvicorn, httptools, uvloop", "-m uvicorn --host 127.0.0.1 --port {port} --loop uvloop "
       "--http httptools --backlog 4096 --no-access-log --log-level error --app-dir {here}/peers "
       "{module}:application"),
  wsgi("gunicorn", "gunicorn, gthread", "-m gunicorn -w 1 -k gthread --threads 4 --bind 127.0.0.1:{port} "
       "--backlog 4096 --worker-connections 20000 --log-level error --keep-alive 300 --chdir {here}/peers "
       "{module}:application"),
  {"name": "uwsgi-python", "title": "uWSGI, Python app",
   "commands": {"http": UWSGI_PYTHON + "--http11-socket {address}",
                "scgi": UWSGI_PYTHON + "--scgi-socket {address}",
                "uwsgi": UWSGI_PYTHON + "--socket {address}",
                "fcgi": UWSGI_PYTHON + "--fastcgi-socket {address}"},
   "needs": ("uwsgi", "/usr/lib/uwsgi/plugins/python3_plugin.so")},
]
