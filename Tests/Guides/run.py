"""Runs a page of docs/guides as a reader would:  run.py PAGE.md

A page is followed from its top to its end, in a folder of its own:

- A block below a line such as "`/srv/shop/hello.py`:" is written to that file. One below /etc/lighttpd,
  /etc/nginx, /etc/apache2, /etc/haproxy or /etc/caddy is what that web server is then started with.
- The commands of a `sh` block are run. One that starts a server, or ends in "&", goes on in the background,
  once it is ready, until the next heading.
- A Deployment of Kubernetes is started as its container is, and its probes are asked.
- A `text` block is what the commands above it say: a line "…" stands for any lines, "…" in a line for any
  text.

Ports and the places of the machine (/srv, /run, /etc, /var) are others than the page's, so that two can run
at once. `pip install` and `apt install` are not run: what they name has to be there. GUIDE_SECONDS says how
long a command may take, if a minute is not enough.
"""
import os
import pathlib
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

PROJECT = pathlib.Path(__file__).resolve().parents[2]
PORT = re.compile(r"(?<![\w.])(80\d\d|9[01]\d\d)(?![\w.])")
WEB = "lighttpd|nginx|apache2|haproxy|caddy"
PLACE = re.compile(rf"(?<![\w.}}$/-])/(srv|run|etc/(?:{WEB})|var/www)(?=/)")
SECONDS = int(os.environ.get("GUIDE_SECONDS", "60"))


class Wrong(Exception):
  """What on a page does not hold."""


def listens(port: int) -> bool:
  with socket.socket() as probe:
    probe.settimeout(1)
    return probe.connect_ex(("127.0.0.1", port)) == 0


class Guide:
  def __init__(self, page: pathlib.Path, folder: pathlib.Path):
    self.page, self.folder = page, folder
    self.ports: dict[str, str] = {}
    self.servers: list[tuple[subprocess.Popen, pathlib.Path]] = []
    self.output = None
    (folder / "bin").mkdir()
    named = os.environ.get("SERVER_UNDER_TEST", PROJECT / ".build/release/server")
    (folder / "bin/nsgi-server").symlink_to(named)
    for name in ("srv", "run", "var/www"): (folder / name).mkdir(parents=True)
    # The last ones tell sanitizers what to report.
    names = ("NSGI_IO", "LANG", "ASAN_OPTIONS", "TSAN_OPTIONS", "PYTHONMALLOC")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    # What an installation has in its places.
    flags = f"-I{PROJECT}/Sources/CNSGI/include"
    (folder / "nsgi.pc").write_text(f"Name: nsgi\nDescription: -\nVersion: 0\nCflags: {flags}\n")
    self.environment = {"PATH": f"{folder}/bin:{os.environ['PATH']}:/usr/sbin:/sbin",
                        "HOME": os.environ.get("HOME", "/"), "XDG_DATA_HOME": str(folder),
                        "XDG_CONFIG_HOME": str(folder), "PYTHONPATH": str(PROJECT / "sdk/python"),
                        "PKG_CONFIG_PATH": str(folder), "NSGI_SHARE": str(PROJECT), **kept}

  # What the page's words are here, and back.

  def port(self, match: re.Match) -> str:
    # Below those that the system gives to whoever asks for any: between here and its use nobody takes it.
    while match[1] not in self.ports:
      number = random.randrange(10000, 32000)
      if not listens(number) and str(number) not in self.ports.values(): self.ports[match[1]] = str(number)
    return self.ports[match[1]]

  def here(self, text: str) -> str:
    text = text.replace("/usr/bin/nsgi-server", f"{self.folder}/bin/nsgi-server")
    return PLACE.sub(lambda match: f"{self.folder}/{match[1]}", PORT.sub(self.port, text))

  def as_on_the_page(self, text: str) -> str:
    for fixed, port in self.ports.items(): text = re.sub(rf"\b{port}\b", fixed, text)
    return text.replace(str(self.folder), "").replace("\r\n", "\n")

  # Steps of a page.

  def follow(self):
    heading, name, block, kind = "", None, None, ""
    for number, line in enumerate(self.page.read_text().splitlines(), 1):
      if block is not None:
        if line.strip() != "```":
          block.append(line)
          continue
        try:
          self.take(kind, name, "\n".join(block) + "\n")
        except (Wrong, subprocess.TimeoutExpired) as error:
          raise Wrong(f"{self.page}:{number}: {heading}: {error}") from None
        name = block = None
      elif line.startswith("```"):
        block, kind = [], line[3:].strip()
      elif line.startswith("#"):
        heading = line.strip("# ")
        self.stop()
      elif line.strip():
        found = re.search(r"`(/?[\w./-]+)`:$", line)
        name = found[1] if found else None
    self.stop()

  def take(self, kind: str, name: str | None, text: str):
    if name:
      path = self.folder / self.here(name).removeprefix(str(self.folder)).lstrip("/")
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(self.here(text))
      if text.startswith("#!"): path.chmod(0o755)
      if "\nkind: Deployment\n" in text: self.pod(path)
      if found := re.match(rf"/etc/({WEB})/", name): self.web(found[1], path)
    elif kind == "sh":
      self.output = ""
      for command in re.sub(r"\\\n\s*", "", text).splitlines():
        if command.strip() and not command.startswith("#"): self.run(command)
    elif kind == "text":
      self.compare(text)

  def run(self, command: str):
    words = shlex.split(command, comments=True)
    if "pip" in pathlib.Path(words[0]).name: return self.has_modules(words)
    if words[:2] == ["apt", "install"]: return self.has_packages(words[2:])
    if words[1:3] == ["-m", "venv"]:
      return (self.folder / words[3]).symlink_to(PROJECT / ".build/frameworks")
    if self.is_server(words) or words[-1] == "&":
      return self.start(["/bin/sh", "-c", "exec " + self.here(command).rstrip("& ")])
    done = subprocess.run(["/bin/bash", "-c", self.here(command)], cwd=self.folder, env=self.environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=SECONDS)
    self.output += self.as_on_the_page(done.stdout)
    if done.returncode: raise Wrong(f"{command} ended with {done.returncode}: {done.stdout}")

  @staticmethod
  def is_server(words: list[str]) -> bool:
    name = pathlib.Path(words[0]).name
    ends = {"2>&1", "check", "ctl", "new", "migrate", "--help", "--version", "--check-config", "--cgi", "top"}
    return name == "nsgi-server" and len(words) > 1 and not ends & set(words) and "||" not in words

  def start(self, command: list[str]):
    # What the page sends to a file of its own is read there.
    named = re.search(r"--logto (\S+)", command[-1])
    log = self.folder / (named[1] if named else f"log-{len(self.servers)}")
    log.write_text("")
    process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                               stdout=log.open("a"), stderr=subprocess.STDOUT, start_new_session=True)
    self.servers.append((process, log))
    self.wait(process, log, lambda: " ready\n" in log.read_text())

  def pod(self, manifest: pathlib.Path):
    """Starts the container of a Deployment of Kubernetes as its image does, and asks its probes."""
    import yaml  # not of Python itself: pages without such a file are followed where it is missing, too
    parts = yaml.safe_load_all(manifest.read_text())
    deployment = next(part for part in parts if part["kind"] == "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    self.start(["/bin/sh", "-c", "exec " + shlex.join(["nsgi-server", *container["args"]])])
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
      at = container[probe]["httpGet"]
      with urllib.request.urlopen(f"http://127.0.0.1:{at['port']}{at['path']}", timeout=SECONDS) as answer:
        if answer.status != 200: raise Wrong(f"{probe}: {answer.status}")

  @staticmethod
  def wait(process: subprocess.Popen, log: pathlib.Path, is_ready):
    end = time.monotonic() + SECONDS
    while not is_ready():
      if process.poll() is not None or time.monotonic() > end:
        raise Wrong(f"a server is not ready ({process.poll()}): {log.read_text()}")
      time.sleep(0.02)

  def stop(self):
    for process, log in reversed(self.servers):
      process.send_signal(signal.SIGTERM)
      status = process.wait(SECONDS)
      if "nsgi-server" in str(process.args) and status != 0:
        raise Wrong(f"it ended with {status}: {log.read_text()}")
    self.servers = []

  def compare(self, text: str):
    pattern = "".join("(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + "\n"
                      for line in text.splitlines())
    said = self.output if self.output.endswith("\n") else self.output + "\n"
    if not re.fullmatch(pattern, said):
      logs = "".join(log.read_text() for _, log in self.servers)
      raise Wrong(f"the page says\n{text}and the commands say\n{said}Logs of servers:\n{logs}")

  # What is there without being installed.

  def has_modules(self, words: list[str]):
    python = PROJECT / ".build/frameworks/bin/python"
    names = [word for word in words[2:] if not word.startswith("-") and not word.startswith("nsgi")]
    ask = "import sys, importlib.metadata as m; [m.version(name) for name in sys.argv[1:]]"
    if subprocess.run([python, "-c", ask, *names], capture_output=True).returncode:
      raise Wrong(f"not all of {names} are in .build/frameworks: see scripts/install.sh")

  def has_packages(self, names: list[str]):
    for name in names:
      if subprocess.run(["dpkg-query", "-W", name], capture_output=True).returncode:
        raise Wrong(f"{name} is not installed: see scripts/install.sh")

  # Web servers, with what stands around a file of their folder for sites.

  def web(self, name: str, site: pathlib.Path):
    port = int(self.port(re.fullmatch(PORT, "8000")))
    main, place = self.folder / f"{name}.conf", self.folder
    if name == "lighttpd":
      main.write_text(f'server.bind = "127.0.0.1"\nserver.port = {port}\nserver.modules = ()\n'
                      f'server.document-root = "{place}/var/www"\nserver.upload-dirs = ( "{place}" )\n'
                      f'include "{site}"\n')
      command = ["lighttpd", "-D", "-f", main]
    elif name == "nginx":
      for file in ("scgi_params", "uwsgi_params", "fastcgi_params"):
        (place / file).unlink(missing_ok=True)
        (place / file).symlink_to(f"/etc/nginx/{file}")
      paths = "".join(f"{kind}_temp_path {place}/{kind};\n"
                      for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
      main.write_text(f"daemon off;\nmaster_process off;\npid {place}/nginx.pid;\nerror_log stderr;\n"
                      f"events {{}}\nhttp {{\naccess_log off;\n{paths}include {site};\n}}\n")
      command = ["nginx", "-p", place, "-c", main, "-e", "stderr"]
    elif name == "apache2":
      modules = "mpm_event authz_core env setenvif alias headers proxy proxy_http proxy_fcgi proxy_scgi"
      loads = "".join(f"LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n"
                      for module in [*modules.split(), "proxy_uwsgi"])
      user = "User www-data\nGroup www-data\n" if os.getuid() == 0 else ""
      main.write_text(f"ServerName localhost\nServerRoot {place}\nDefaultRuntimeDir {place}\n"
                      f"PidFile {place}/apache.pid\nErrorLog /dev/stderr\n{loads}{user}StartServers 1\n"
                      f"ServerLimit 1\nThreadsPerChild 25\nMaxRequestWorkers 25\nInclude {site}\n")
      command = ["apache2", "-DFOREGROUND", "-d", place, "-f", main]
    elif name == "haproxy": command = ["haproxy", "-db", "-f", site]
    else:
      main.write_text(f"{{\n  admin off\n}}\nimport {site}\n")
      command = ["caddy", "run", "--config", main, "--adapter", "caddyfile"]
    log = self.folder / f"log-{len(self.servers)}"
    process = subprocess.Popen(command, cwd=place, env=self.environment, stdin=subprocess.DEVNULL,
                               stdout=log.open("a"), stderr=subprocess.STDOUT, start_new_session=True)
    self.servers.append((process, log))
    self.wait(process, log, lambda: listens(port))


def main(page: pathlib.Path) -> int:
  with tempfile.TemporaryDirectory(prefix="nsgi-guide-", ignore_cleanup_errors=True) as folder:
    os.chmod(folder, 0o755)
    guide = Guide(page, pathlib.Path(folder))
    try:
      guide.follow()
    except Wrong as error:
      print(error)
      return 1
    finally:
      for process, _ in guide.servers:
        process.kill()
        process.wait()
  return 0


if __name__ == "__main__":
  if len(sys.argv) != 2: raise SystemExit("usage: run.py PAGE.md")
  sys.exit(main(pathlib.Path(sys.argv[1])))
