"""gevent in the place of Python's threads, as its documentation has it: before anything else."""
from gevent import monkey
monkey.patch_all()


def application(environ, start):
  import threading
  start("200 OK", [("Content-Type", "text/plain")])
  with threading.Lock():
    return [b"green"]
