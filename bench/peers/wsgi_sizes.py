"""100 KiB at /100k and the length of the body at POST /len, for the Python peers."""
TYPE = ("Content-Type", "text/plain")
LARGE = b"x" * (100 * 1024)


def application(environ, start_response):
  """Reads a body whole, as `flask.request.data` and the forms of Django do."""
  if environ["PATH_INFO"] == "/100k":
    body = LARGE
  else:
    body = b"%d\n" % len(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
  start_response("200 OK", [TYPE, ("Content-Length", str(len(body)))])
  return [body]
