"""The ledger of the swap tests as an ASGI application; see ledger.py. A test copies it with another
letter."""
import asyncio
import os
from urllib.parse import parse_qs

import nsgi

LETTER = "A"
served = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
marks = os.open(os.environ["LEDGER"] + ".marks", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)


def note(word):
  os.write(marks, f"{word} {LETTER} {os.getpid()}\n".encode())


async def lifespan(receive, send):
  await receive()
  await begin(send)
  await receive()
  await asyncio.sleep(0.05)
  note("shutdown")
  await send({"type": "lifespan.shutdown.complete"})


async def begin(send):
  note("startup")
  await send({"type": "lifespan.startup.complete"})


async def later(number):
  await asyncio.sleep(0.05)
  note("background")


async def application(scope, receive, send):
  if scope["type"] == "lifespan":
    return await lifespan(receive, send)
  number = parse_qs(scope["query_string"].decode()).get("id", [""])[0]
  if number:
    os.write(served, f"{number}\n".encode())
  await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})

  async def write(data, more=True):
    await send({"type": "http.response.body", "body": data, "more_body": more})

  def mark(word):
    return f"{word} {LETTER} {nsgi.generation} {number}\n".encode()

  await write(mark("begin"))
  path = scope["path"]
  if path == "/stream":
    for piece in range(16):
      await write(f"piece {piece}\n".encode())
      await asyncio.sleep(0.0015)
  if path == "/long":
    for piece in range(20):
      await write(f"piece {piece}\n".encode())
      await asyncio.sleep(0.1)
  if path == "/big":
    for _ in range(64):
      await write((b"0123456789" * 6 + b"...\n") * 128)
  if path == "/body":
    count, total, more = 0, 0, True
    while more:
      message = await receive()
      count, total, more = count + len(message["body"]), total + sum(message["body"]), message["more_body"]
    await write(f"body {count} {total}\n".encode())
  await write(mark("end"), more=False)
  if path == "/later":
    await later(number)
