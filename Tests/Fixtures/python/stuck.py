"""Requests that take as long as a file is not there, in the ways that a request may."""
import ctypes
import os
import threading
import time


def waits(gate):
  while not os.path.exists(gate):
    time.sleep(0.01)


def computes(gate):
  while sum(range(1000)) and not os.path.exists(gate):
    pass


def crowds(gate):
  """Computes beside so many threads that whoever wants the interpreter waits long, and none stands still."""
  threads = [threading.Thread(target=computes, args=(gate,)) for _ in range(40)]
  for thread in threads:
    thread.start()
  while sum(range(10)) and not os.path.exists(gate):
    pass
  for thread in threads:
    thread.join()


def holds(gate):
  """Waits in C without letting any other thread run Python."""
  c = ctypes.PyDLL(None)
  name = os.fsencode(gate)
  while c.access(name, 0) and not c.usleep(400_000):
    pass


def application(environ, start_response):
  globals()[environ["PATH_INFO"][1:]](environ["QUERY_STRING"])
  start_response("200 OK", [("Content-Type", "text/plain")])
  return [b"done"]
