"""The ledger of the swap tests as a WSGI application; see Tests/Fixtures/apps/ledger.c. A test copies it with
another letter."""
import os
import time
from urllib.parse import parse_qs

import nsgi

LETTER = "A"
served = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)


def application(environ, start_response):
  number = parse_qs(environ["QUERY_STRING"]).get("id", [""])[0]
  os.write(served, f"{number}\n".encode())
  start_response("200 OK", [("Content-Type", "text/plain")])
  return blocks(environ, number)


def mark(word, number):
  return f"{word} {LETTER} {nsgi.generation} {number}\n".encode()


def blocks(environ, number):
  yield mark("begin", number)
  path = environ["PATH_INFO"]
  if path == "/stream":
    for piece in range(16):
      yield f"piece {piece}\n".encode()
      time.sleep(0.0015)
  if path == "/big":
    for _ in range(64):
      yield (b"0123456789" * 6 + b"...\n") * 128
  if path == "/body":
    body = environ["wsgi.input"].read()
    yield f"body {len(body)} {sum(body)}\n".encode()
  yield mark("end", number)
