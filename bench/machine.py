"""What /proc says: CPU time and memory of a group of processes, noise from others, the machine's model."""
from dataclasses import dataclass
from pathlib import Path
import os
import subprocess

TICKS = os.sysconf("SC_CLK_TCK")
CPU_SERVER, CPU_LOAD = "0", "1"


def _stat(pid: int) -> list[str]:
  return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def is_alive(pid: int) -> bool:
  """Whether a process is there and no zombie."""
  try:
    return _stat(pid)[0] != "Z"
  except OSError:
    return False


def session(leader: int) -> list[int]:
  """Every live process of a session."""
  found = []
  for name in filter(str.isdigit, os.listdir("/proc")):
    try:
      if int(_stat(int(name))[3]) == leader:
        found.append(int(name))
    except OSError:
      continue
  return found


def cpu_seconds(pids: list[int]) -> float:
  """CPU time of the processes' threads, from the scheduler in nanoseconds (schedstat), else in ticks."""
  total = 0.0
  for pid in pids:
    try:
      for thread in os.listdir(f"/proc/{pid}/task"):
        total += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0]) / 1e9
    except FileNotFoundError:
      if is_alive(pid):
        total += sum(map(int, _stat(pid)[11:13])) / TICKS
  return total


def children_seconds(pids: list[int]) -> float:
  """CPU time, in ticks, of processes that these have started and that have ended."""
  total = 0
  for pid in pids:
    try:
      total += sum(map(int, _stat(pid)[13:15]))
    except OSError:
      continue
  return total / TICKS


def memory_kib(pids: list[int]) -> tuple[int, int]:
  """Proportional and resident set size."""
  pss = rss = 0
  for pid in pids:
    try:
      for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
          pss += int(line.split()[1])
        elif line.startswith("Rss:"):
          rss += int(line.split()[1])
    except OSError:
      continue
  return pss, rss


@dataclass
class Noise:
  """CPU time that went to neither the server nor the generator, as shares of one CPU."""
  steal: float
  foreign: float

  @property
  def worst(self) -> float:
    """The larger of the two."""
    return max(self.steal, self.foreign)


class NoiseMeter:
  """Reads /proc/stat at the start and at the end of a measurement."""

  def __init__(self):
    self._before = self._read()

  @staticmethod
  def _read() -> tuple[float, float]:
    busy = steal = 0.0
    for line in Path("/proc/stat").read_text().splitlines():
      if line.startswith("cpu ") or not line.startswith("cpu"):
        continue
      fields = [int(text) / TICKS for text in line.split()[1:9]]
      busy += sum(fields[:3]) + sum(fields[5:7])
      steal += fields[7]
    return busy, steal

  def result(self, seconds: float, own: float) -> Noise:
    """- own: CPU seconds of server and generator since the start."""
    busy, steal = self._read()
    foreign = busy - self._before[0] - own
    return Noise((steal - self._before[1]) / seconds, max(foreign, 0) / seconds)


def commit() -> str:
  """The commit of this checkout, with a plus if files differ from it."""
  words = ["git", "-C", str(Path(__file__).resolve().parent)]
  name = subprocess.run([*words, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True).stdout
  changed = subprocess.run([*words, "status", "--porcelain", "-uno"], capture_output=True, text=True).stdout
  return name.strip() + ("+" if changed else "")


def describe() -> str:
  """Model, cores, kernel; no names."""
  model = "unknown processor"
  for line in Path("/proc/cpuinfo").read_text().splitlines():
    if line.startswith("model name"):
      model = line.split(":", 1)[1].strip()
      break
  memory = int(Path("/proc/meminfo").read_text().split()[1]) // (1 << 20)
  release = ".".join(os.uname().release.split("-")[0].split(".")[:2])
  hypervisor = "virtual machine, " if "hypervisor" in Path("/proc/cpuinfo").read_text() else ""
  return f"{model}, {hypervisor}{os.cpu_count()} cores, {memory} GiB, Linux {release}"


def warnings() -> list[str]:
  """What would spoil a run."""
  found = []
  low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
  if high - low < 40000:
    found.append(f"only {high - low} local ports: sysctl -w net.ipv4.ip_local_port_range=\"20000 65535\"")
  if (os.cpu_count() or 1) < 2:
    found.append("one CPU: server and generator share it, the figures say little")
  if os.getloadavg()[0] > 1.5:
    found.append(f"the machine is busy (load {os.getloadavg()[0]:.1f})")
  return found
