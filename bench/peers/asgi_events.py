"""A stream of server-sent events for each request, one a second until the client leaves."""
import asyncio

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
EVENT = {"type": "http.response.body", "body": b"data: tick\n\n", "more_body": True}


async def application(scope, receive, send):
  """The first event at once."""
  if scope["type"] != "http":
    raise RuntimeError("only HTTP is served")
  await send(START)
  while True:
    await send(EVENT)
    await asyncio.sleep(1)
