"""Hello world as an application of ASGI."""
START = {"type": "http.response.start", "status": 200,
         "headers": [(b"content-type", b"text/plain"), (b"content-length", b"12")]}
BODY = {"type": "http.response.body", "body": b"Hello World\n"}


async def application(scope, receive, send):
  """Twelve bytes, whatever is asked for."""
  await send(START)
  await send(BODY)
