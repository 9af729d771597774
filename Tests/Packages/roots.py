"""Roots of other machines: Debian as mmdebstrap makes it, without Swift or a compiler.

A root is made once for each list of packages and kept below .build/roots as a tar file; each test gets a
fresh copy. What runs in it has namespaces of its own (mounts, processes and, but for `network=True`, the
network), so that nothing outlives it: no process, no mount.
"""
import hashlib
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

PROJECT = pathlib.Path(__file__).resolve().parents[2]
CACHE = PROJECT / ".build/roots"
MIRROR = "http://deb.debian.org/debian"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}


# A suite that still moves says until when its lists are good, and a mirror may stand still for longer.
MOVING = {"forky": ['--aptopt=Acquire::Check-Valid-Until "false"']}


def tarball(release: str, packages: tuple[str, ...]) -> pathlib.Path:
  """The root with these packages, made if it is not there yet."""
  if not shutil.which("mmdebstrap"):
    raise SystemExit("mmdebstrap is not installed; use: scripts/install.sh packages")
  names = sorted({"ca-certificates", *packages})
  mark = hashlib.sha256(" ".join(names).encode()).hexdigest()[:12]
  path = CACHE / f"{release}-{mark}.tar"
  if not path.exists():
    CACHE.mkdir(parents=True, exist_ok=True)
    print(f"making {path.name}: {release} with {' '.join(names)}", flush=True)
    new = CACHE / f"new-{os.getpid()}-{path.name}"
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(names)}"]
    command += MOVING.get(release, [])
    subprocess.run([*command, release, new, MIRROR], check=True, timeout=1800)
    new.rename(path)
  return path


# What the tests install beforehand; each list is one root a release to make and to keep.
PLAIN = ("curl",)
PYTHON = {
  "bookworm": ("curl", "lighttpd", "python3", "python3-venv", "libpython3.11"),
  "trixie": ("curl", "lighttpd", "python3", "python3-venv", "libpython3.13"),
  "forky": ("curl", "libpython3.14", "python3.14", "python3.14-venv"),
}
COMPILER = ("curl", "gcc", "libc6-dev", "make")


class Root:
  """One machine; a context manager."""

  def __init__(self, release: str, *packages: str):
    self.tar = tarball(release, packages)
    CACHE.mkdir(parents=True, exist_ok=True)
    self.path = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
    subprocess.run(["tar", "-C", self.path, "-xf", self.tar, "--exclude=./dev/*"], check=True)
    self.path.chmod(0o755)

  def __enter__(self):
    return self

  def __exit__(self, *_):
    shutil.rmtree(self.path, ignore_errors=True)

  def copy(self, source: str | os.PathLike, target: str):
    """A file or folder of the project into the root; into a target that ends in a slash by its own name."""
    place = self.path / target.lstrip("/")
    (place if target.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-RL", PROJECT / source, place], check=True)

  def write(self, target: str, text: str):
    place = self.path / target.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)

  def run(self, script: str, *, user: int = 0, network: bool = False, read_only: bool = False,
          environment: dict[str, str] | None = None, timeout: float = 600) -> subprocess.CompletedProcess:
    """Runs a shell script in the root; its output, the standard error included."""
    place = shlex.quote(str(self.path))
    steps = ["set -e", f"mount --bind {place} {place}", f"mount -t proc proc {place}/proc",
             f"mount --rbind /dev {place}/dev", f"mount -t tmpfs -o mode=1777 tmpfs {place}/tmp",
             f"mount -t tmpfs -o mode=755 tmpfs {place}/run"]
    if not network: steps.append("ip link set lo up")
    else:
      # The authorities that this machine trusts, too: a proxy of its network may stand before PyPI.
      steps += [f"cp {file} {place}{file}" for file in ("/etc/resolv.conf", AUTHORITIES)]
    if read_only: steps.append(f"mount -o remount,bind,ro {place}")
    variables = " ".join(shlex.quote(f"{name}={value}") for name, value in
                         (ENVIRONMENT if environment is None else environment).items())
    change = f"chroot --userspec={user}:{user} {place}" if user else f"chroot {place}"
    steps.append(f"exec {change} /usr/bin/env -i {variables} /bin/sh -c {shlex.quote('set -e; ' + script)}")
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child"] + ([] if network else ["--net"])
    return subprocess.run([*command, "/bin/sh", "-c", "\n".join(steps)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)

  def check(self, script: str, **options) -> str:
    """The output of a script that ends well; any other end is a failure with all it said."""
    done = self.run(script, **options)
    if done.returncode:
      asked = script.removeprefix(SERVE).strip()
      raise AssertionError(f"{asked}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout


# Serves, asks once it is up, and ends the server in order: for scripts in a root. $URL is where it answers.
SERVE = """
serve() { # COMMAND... : starts a server in the background and waits until it says that it is ready
  : >/tmp/log # it may have the words of a server before
  "$@" >/tmp/log 2>&1 & SERVER=$!
  for i in $(seq 200); do
    grep -qs ' ready$' /tmp/log && return 0
    kill -0 $SERVER 2>/dev/null || { cat /tmp/log; return 1; }
    sleep 0.05
  done
  cat /tmp/log; return 1
}
finish() { kill -TERM $SERVER; wait $SERVER || { cat /tmp/log; return 1; }; }
"""
