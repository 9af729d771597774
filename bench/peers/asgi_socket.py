"""Says every message of a WebSocket back, for the servers of ASGI."""


async def application(scope, receive, send):
  """Accepts whatever is asked for."""
  if scope["type"] != "websocket":
    raise RuntimeError("only WebSockets are served")
  await receive()
  await send({"type": "websocket.accept"})
  while (message := await receive())["type"] == "websocket.receive":
    text = message.get("text")
    if text is not None:
      await send({"type": "websocket.send", "text": text})
    else:
      await send({"type": "websocket.send", "bytes": message["bytes"]})
