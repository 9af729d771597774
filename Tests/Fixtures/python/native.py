"""Calls functions of the plugin's own module as an application never should, by their paths."""
import sys

import _nsgi

GREAT, VAST = 1 << 31, 1 << 70

# What is raised, or "taken"; the function; its arguments.
NUMBERS = [
  ("OverflowError", "log", GREAT, b""), ("OverflowError", "log", -GREAT - 1, b""),
  ("OverflowError", "log", VAST, b""), ("TypeError", "log", "2", b""), ("TypeError", "log", 2, b"", None),
  ("taken", "log", 2, b"", VAST), ("taken", "log", GREAT - 1, b""),
  ("OverflowError", "tally", GREAT, 0), ("OverflowError", "tally", -1, VAST), ("TypeError", "tally", -1, "0"),
  ("OverflowError", "tell_leave", VAST), ("OverflowError", "notice", GREAT, b"/"),
  ("ValueError", "harakiri", -1), ("ValueError", "harakiri", 1 << 32), ("OverflowError", "harakiri", VAST),
  ("TypeError", "harakiri", "1"), ("TypeError", "asgi_take", None), ("OverflowError", "asgi_take", VAST),
  ("taken", "asgi_take", sys.maxsize), ("taken", "asgi_take", -sys.maxsize - 1),
  ("TypeError", "asgi_read", "1"), ("OverflowError", "asgi_respond", None, 0, GREAT, [], b""),
  ("OverflowError", "asgi_start", None, 0, VAST, []), ("TypeError", "asgi_start", None, "0", 200, []),
  ("OverflowError", "asgi_sendfile", 0, GREAT, 0, 0), ("OverflowError", "asgi_sendfile", 0, 0, VAST, 0),
  ("OverflowError", "asgi_sendfile", 0, 0, 0, -VAST), ("OverflowError", "asgi_finish", 0, GREAT),
  ("OverflowError", "asgi_await", 0, VAST), ("TypeError", "asgi_is_late", b"0"),
  ("OverflowError", "asgi_log", 0, GREAT, b""), ("OverflowError", "asgi_socket_send", 0, GREAT, b""),
  ("OverflowError", "asgi_socket_close", 0, VAST, b""), ("TypeError", "asgi_socket_pause", 0, "1"),
  ("ValueError", "socket_send", -1, b""), ("ValueError", "socket_send", 3, b""),
  ("OverflowError", "socket_send", GREAT, b""), ("TypeError", "socket_receive", "1"),
  ("OverflowError", "asgi_interim", None, 0, GREAT, []), ("TypeError", "asgi_trailers", None, "0", []),
]
OBJECTS = [None, 5, 1.5, "text", (), [], {}, bytearray(b"x"), memoryview(b"x"), bytes, len]
BYTES = [("TypeError", *call) for one in OBJECTS for call in [
  ("asgi_respond", None, 0, 200, [], one), ("asgi_write", 0, one), ("asgi_log", 0, 2, one),
  ("asgi_socket_accept", None, 0, one, []), ("asgi_socket_send", 0, 1, one),
  ("asgi_socket_close", 0, 1000, one), ("socket_accept", one), ("socket_send", 1, one),
]]
ARITIES = [("TypeError", name) for name in (
  "log", "reload", "renew", "embedded", "tally", "note", "noted", "harakiri", "notice", "tell_leave",
  "asgi_take", "asgi_read", "asgi_respond", "asgi_start", "asgi_write", "asgi_sendfile", "asgi_finish",
  "asgi_await", "asgi_is_late", "asgi_log", "asgi_leave", "asgi_socket_accept", "asgi_socket_send",
  "asgi_socket_close", "asgi_socket_pause", "socket_accept", "socket_receive", "socket_send",
  "asgi_interim", "asgi_trailers", "asgi_page")]
CALLS = {"/numbers": NUMBERS, "/bytes": BYTES, "/arities": ARITIES}


def outcome(name, *arguments):
  try:
    getattr(_nsgi, name)(*arguments)
  except Exception as error:
    return type(error).__name__
  return "taken"


def application(environ, start_response):
  """The calls that came to something else than they should, and how many there were."""
  calls = CALLS[environ["PATH_INFO"]]
  found = [(outcome(*call), *call) for expected, *call in calls]
  wrong = [one for one, (expected, *_) in zip(found, calls) if one[0] != expected]
  start_response("200 OK", [("Content-Type", "text/plain")])
  return [f"{wrong} of {len(calls)}".encode()]
