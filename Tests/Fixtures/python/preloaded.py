"""An application that tells where it was loaded, and by how many processes: PreloadTests.swift."""
import json
import os
import sys
import threading

import nsgi

LOADED_BY = os.getpid()
IDENTITY = nsgi.worker_id
calls = {"before": 0, "after_in_parent": 0, "after_in_child": 0, "post_load": 0, "post_fork": 0}
with open(os.environ["MARKS"], "a") as marks:
  marks.write(f"{LOADED_BY}\n")


def count(name):
  def hook():
    calls[name] += 1
  return hook


os.register_at_fork(before=count("before"), after_in_parent=count("after_in_parent"))
os.register_at_fork(after_in_child=count("after_in_child"))
nsgi.post_load(count("post_load"))


@nsgi.post_fork
def begin():
  calls["post_fork"] += 1
  threading.Thread(target=threading.Event().wait, name="own", daemon=True).start()


def application(environ, start_response):
  start_response("200 OK", [("Content-Type", "application/json")])
  if environ["PATH_INFO"] == "/fork":
    child = os.fork()
    if not child:
      os._exit(calls["after_in_child"])
    return [json.dumps({"status": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}).encode()]
  return [json.dumps({
    "pid": os.getpid(), "parent": os.getppid(), "loaded": LOADED_BY, "identity": IDENTITY,
    "worker": nsgi.worker_id, "generation": nsgi.generation, "calls": calls, "directory": os.getcwd(),
    "user": os.getuid(), "argv": sys.argv, "main": threading.main_thread().ident,
    "threads": [one.name for one in threading.enumerate()],
    "program": os.path.realpath("/proc/self/exe"),
    "title": open("/proc/self/cmdline", "rb").read().split(b"\0")[0].decode(),
  }).encode()]
