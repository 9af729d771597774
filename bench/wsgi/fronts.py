"""The web servers in front, each with the least that a protocol needs: docs/deploy has the same for use.

One process of lighttpd or nginx, without access log. Both run on the server's CPU. Over FastCGI and HTTP
nginx keeps connections to the server, lighttpd does not; over uwsgi and SCGI nobody can.
"""
from servers import Spec

FRONTS = {"direct": "", "lighttpd": "lighttpd", "nginx": "nginx"}
# Where a CGI program answers; the rest of the path is the application's.
CGI_PATH = "/app.cgi/"

LIGHTTPD = """
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{directory}"
server.max-fds = 20000
server.max-connections = 8000
server.listen-backlog = 4096
server.max-keep-alive-requests = 1000000000
server.max-keep-alive-idle = 300
server.errorlog = "{directory}/error.log"
"""
BACK = '( "/" => (( "host" => "127.0.0.1", "port" => BACK{more} )) )'
GATEWAY = ', "check-local" => "disable", "fix-root-scriptname" => "enable"'
LIGHTTPD_PROTOCOLS = {
  "http": 'server.modules += ( "mod_proxy" )\nproxy.server = ' + BACK.replace("{more}", ""),
  "fcgi": 'server.modules += ( "mod_fastcgi" )\nfastcgi.server = ' + BACK.replace("{more}", GATEWAY),
  "scgi": 'server.modules += ( "mod_scgi" )\nscgi.server = ' + BACK.replace("{more}", GATEWAY),
  "uwsgi": 'server.modules += ( "mod_scgi" )\nscgi.protocol = "uwsgi"\nscgi.server = '
           + BACK.replace("{more}", GATEWAY),
  "cgi": 'server.modules += ( "mod_alias", "mod_cgi", "mod_setenv" )\ncgi.assign = ( ".cgi" => "/bin/sh" )\n'
         'alias.url = ( "/app.cgi" => "{directory}/app.cgi" )\n'
         'setenv.add-environment = ( "BENCH_MODULE" => "{module}" )',
}

NGINX = """
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000; pid {directory}/nginx.pid;
error_log {directory}/error.log error;
events { worker_connections 8000; }
http {
  access_log off; server_tokens off; default_type text/plain; keepalive_requests 1000000000;
  keepalive_timeout 300; client_body_temp_path {directory}; proxy_temp_path {directory};
  fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
  upstream back { server 127.0.0.1:BACK; KEEPALIVE }
  server {
    listen 127.0.0.1:{port} backlog=4096;
    location / {
      PASS
    }
  }
}
"""
META = {"QUERY_STRING": "$query_string", "REQUEST_METHOD": "$request_method", "PATH_INFO": "$document_uri",
        "CONTENT_TYPE": "$content_type", "CONTENT_LENGTH": "$content_length", "REQUEST_URI": "$request_uri",
        "SERVER_PROTOCOL": "$server_protocol", "REMOTE_ADDR": "$remote_addr", "REMOTE_PORT": "$remote_port",
        "SERVER_ADDR": "$server_addr", "SERVER_PORT": "$server_port", "SERVER_NAME": "$server_name",
        "REQUEST_SCHEME": "$scheme", "SCRIPT_NAME": '""', "HTTP_HOST": "$host"}


def _parameters(protocol: str) -> str:
  values = dict(META)
  if protocol == "scgi":  # nginx tells the length itself, first
    del values["CONTENT_LENGTH"]
    values["SCGI"] = "1"
  return "\n".join(f"      {protocol}_param {name} {value};" for name, value in values.items())


NGINX_PROTOCOLS = {
  "http": ("proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection \"\";\n"
           "      proxy_set_header Host $host;"),
  "fcgi": "fastcgi_pass back; fastcgi_keep_conn KEEP;\n" + _parameters("fastcgi"),
  "scgi": "scgi_pass back;\n" + _parameters("scgi"),
  "uwsgi": "uwsgi_pass back;\n" + _parameters("uwsgi"),
}


def front(name: str, protocol: str, back: str, keeps: bool) -> Spec:
  """The web server `name` before 127.0.0.1:`back` (a port; of cgi: the command). keeps: connections to it."""
  if name == "lighttpd":
    text = LIGHTTPD + LIGHTTPD_PROTOCOLS[protocol].replace("BACK", back) + "\n"
    files = {"lighttpd.conf": text}
    if protocol == "cgi":
      files["app.cgi"] = f"exec {back}\n"
    return Spec(name, name, {"http": "lighttpd -D -f {directory}/lighttpd.conf"}, files=files,
                needs=("lighttpd",), families=("tcp",))
  text = NGINX.replace("PASS", NGINX_PROTOCOLS[protocol]).replace("BACK", back)
  text = text.replace("KEEPALIVE", "keepalive 64;" if keeps else "").replace("KEEP", "on" if keeps else "off")
  return Spec(name, name, {"http": "nginx -p {directory} -c {directory}/nginx.conf"},
              files={"nginx.conf": text}, needs=("nginx",), families=("tcp",))
