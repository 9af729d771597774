"""Builds what a Containerfile says, without a builder: its steps run in roots that stand for the images it
begins with. Knows the instructions of packaging/image, and no others."""
import json
import pathlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable

from roots import ENVIRONMENT, Root

# What an image has: a root, and its configuration in the words of OCI.
Image = tuple[Root, dict]
VARIABLE = re.compile(r"\$\{(\w+)\}")


def steps(text: str) -> list[tuple[str, str]]:
  """Instructions, and what stands behind each."""
  lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip() and line[0] != "#"]
  return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def build(file: pathlib.Path, context: pathlib.Path, base: Callable[[str], Image], **arguments: str) -> Image:
  """The image of the last stage. `base` gives the one of a name, afresh."""
  stages: dict[str, Root] = {}
  root, config = None, {}
  # Those before the first FROM are for the FROM lines alone.
  common, known = {}, {}
  for word, rest in steps(file.read_text()):
    if word == "FROM":
      name, _, alias = VARIABLE.sub(lambda found: common[found[1]], rest).partition(" AS ")
      (root, config), known = base(name), {}
      stages[alias] = root
    elif word == "ARG": (common if root is None else known)[rest] = arguments[rest]
    else: step(root, config, word, VARIABLE.sub(lambda found: known[found[1]], rest), context, stages)
  return root, config


def step(root: Root, config: dict, word: str, rest: str, context: pathlib.Path, stages: dict[str, Root]):
  """One instruction that is neither FROM nor ARG."""
  match word:
    case "RUN":
      authorities = {"PIP_CERT": "/etc/ssl/certs/ca-certificates.crt", "DEBIAN_FRONTEND": "noninteractive"}
      root.check(rest, network=True, timeout=900, environment={**ENVIRONMENT, **authorities})
    case "COPY" | "ADD":
      words = shlex.split(rest)
      source = context
      if words[0].startswith("--from="): source = stages[words.pop(0).removeprefix("--from=")].path
      put(source, words[:-1], root, words[-1], unpacks=word == "ADD")
    case "WORKDIR":
      (root.path / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
      config["WorkingDir"] = rest
    case "USER": config["User"] = rest
    case "STOPSIGNAL": config["StopSignal"] = rest
    case "ENTRYPOINT": config["Entrypoint"] = json.loads(rest)
    case "CMD": config["Cmd"] = json.loads(rest)
    case "HEALTHCHECK": config["Healthcheck"] = {"Test": ["CMD", *json.loads(rest.removeprefix("CMD "))]}
    case "EXPOSE": pass
    case _: raise AssertionError(f"{word} {rest}: containers.py knows no such instruction")


def put(context: pathlib.Path, names: list[str], root: Root, target: str, *, unpacks: bool):
  """COPY and ADD: of a folder, its contents; of a pattern, each file, of which there has to be one."""
  place = root.path / target.lstrip("/")
  for name in names:
    found = sorted(context.glob(name.lstrip("/"))) if name != "." else [context]
    if not found: raise AssertionError(f"there is no {name} in {context}")
    for path in found:
      (place if target.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
      if path.is_dir(): shutil.copytree(path, place, symlinks=True, dirs_exist_ok=True)
      elif unpacks:
        subprocess.run(["tar", "-C", place, "-xzf", path, "--no-same-owner"], check=True)
      else: shutil.copy2(path, place)
