"""Hands a Python script over to nsgi-server: what scripts for flup and flipflop need, with one line changed.

    from nsgi import WSGIServer            # was: from flipflop import WSGIServer
    WSGIServer(application).run()

The web server starts the script as before: as a CGI program, or with a listening socket on descriptor 0, on
which FastCGI, SCGI, uwsgi and HTTP are recognised. `run` replaces the process by the program `nsgi-server` (or `server`) of PATH
(or of $NSGI_SERVER), which loads the script again and serves its application. Inside the server the module of
this name is another one: see docs/PYTHON.md.
"""
import os
import shutil
import stat
import sys

__all__ = ["WSGIServer"]


class WSGIServer:
  """Serves a WSGI application.

  bindAddress: None for descriptor 0 or CGI, (host, port), or the path of a unix socket.
  protocol: what is spoken on bindAddress: "fastcgi" as in flup, "scgi", "uwsgi" or "http".
  options: further arguments for `server`, such as ["--threads", "8"].
  Whatever else flup takes is accepted and means nothing here.
  """

  def __init__(self, application, bindAddress=None, protocol="fastcgi", options=(), **_):
    self.application = application
    self.bindAddress = bindAddress
    self.protocol = protocol
    self.options = list(options)

  def run(self):
    """Hands over; does not return."""
    if not self.is_started_by_a_server():
      script = os.path.abspath(sys.modules["__main__"].__file__)
      sys.exit(f"nsgi: {script} was started by hand, and nothing says where it listens: a web server gives it a "
               "listening socket on descriptor 0 or runs it as a CGI program. To try it here, write\n"
               f"  server --plugin python3 --wsgi-file {script} --http-socket 127.0.0.1:8080\n"
               'or, in the script, WSGIServer(application, bindAddress=("127.0.0.1", 8080), protocol="http")')
    server = os.environ.get("NSGI_SERVER") or self.installed()
    if not server:
      sys.exit("nsgi: no program `nsgi-server` or `server` in PATH; install nsgi-server, or set NSGI_SERVER to its path")
    sys.stdout.flush()
    sys.stderr.flush()
    # The environment variable would be read as an option.
    os.environ.pop("NSGI_SERVER", None)
    arguments = self.arguments()
    # A query without `=` comes as arguments of a CGI program, and the server takes none of those.
    os.environ["NSGI_ARGUMENTS"] = str(len(arguments))
    os.execv(server, [server] + arguments)

  @staticmethod
  def installed():
    """The program of this environment, else that of PATH; None if there is neither."""
    own = os.path.join(os.path.dirname(sys.executable or ""), "nsgi-server")
    return own if os.access(own, os.X_OK) else shutil.which("nsgi-server") or shutil.which("server")

  def is_started_by_a_server(self):
    """Somebody has said where requests come from."""
    if self.bindAddress or any("socket" in word or word == "--cgi" for word in self.options):
      return True
    variables = ("GATEWAY_INTERFACE", "REQUEST_METHOD", "LISTEN_FDS")
    if any(name in variables or name.startswith("NSGI_") and name.endswith("SOCKET") for name in os.environ):
      return True
    try:
      return stat.S_ISSOCK(os.fstat(0).st_mode)
    except OSError:
      return False

  def arguments(self):
    """The command line of the server."""
    main = sys.modules["__main__"]
    script = os.path.abspath(main.__file__)
    words = ["--plugin", "python3", "--wsgi-file", script]
    names = [name for name, value in vars(main).items() if value is self.application]
    if names and "application" not in names:
      words += ["--callable", names[0]]
    if sys.prefix != sys.base_prefix:
      words += ["--venv", sys.prefix]
    if isinstance(self.bindAddress, str):
      words += [f"--{self.protocol}-socket", self.bindAddress]
    elif self.bindAddress:
      host, port = self.bindAddress[:2]
      words += [f"--{self.protocol}-socket", f"[{host}]:{port}" if ":" in host else f"{host}:{port}"]
    return words + self.options
