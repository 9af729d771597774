"""What an application may do to the process that it runs in, and what it finds there."""
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading

seen = []
# The server reads these signals itself: a handler of the application's is never called.
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
  signal.signal(number, lambda number, frame: seen.append(number))

THREAD = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)


def native_threads():
  """Threads that Python has not made, and that call into it while the application waits for them."""
  c = ctypes.CDLL(None)
  found = []
  entry = THREAD(lambda argument: found.append((argument, threading.get_ident())))
  handles = [ctypes.c_ulong() for _ in range(4)]
  for index, handle in enumerate(handles):
    assert c.pthread_create(ctypes.byref(handle), None, entry, ctypes.c_void_p(index + 1)) == 0
  for handle in handles:
    c.pthread_join(handle, None)
  own = threading.get_ident()
  return sorted(argument for argument, _ in found), all(thread != own for _, thread in found)


def child():
  """A program of the application's: its output, its end, and an end by signal."""
  done = subprocess.run(["/bin/sh", "-c", "echo out; exit 3"], stdout=subprocess.PIPE, check=False)
  with subprocess.Popen(["/bin/sleep", "60"]) as sleeper:
    sleeper.terminate()
    ended = sleeper.wait(20)
  return done.stdout.decode(), done.returncode, ended


def fork():
  """A copy of the process that ends by signal: nothing of the server's happens in it or by it."""
  pid = os.fork()
  if pid == 0:
    signal.pause()
    os._exit(0)
  os.kill(pid, signal.SIGTERM)
  return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def application(environ, start_response):
  answer = {
    "/native-threads": native_threads, "/child": child, "/fork": fork,
    "/facts": lambda: (seen, sys.stdin.read() if sys.stdin else None, os.getpid()),
  }[environ["PATH_INFO"]]()
  start_response("200 OK", [("Content-Type", "application/json")])
  return [json.dumps(answer).encode()]
