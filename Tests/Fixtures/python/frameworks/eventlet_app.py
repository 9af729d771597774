"""The same with eventlet."""
import eventlet
eventlet.monkey_patch()


def application(environ, start):
  import threading
  start("200 OK", [("Content-Type", "text/plain")])
  with threading.Lock():
    return [b"green"]
