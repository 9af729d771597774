"""Hello world: what a server adds to nothing."""
BODY = [b"Hello World\n"]
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", "12")]


def application(environ, start_response):
  """Twelve bytes, whatever is asked for."""
  start_response("200 OK", HEADERS)
  return BODY
