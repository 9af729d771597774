"""The application of PEP 3333's first pages, as uWSGI, flup or wsgiref serve it too."""


def application(environ, start_response):
  """Answers every request alike."""
  start_response("200 OK", [("Content-Type", "text/plain")])
  return [b"Hello World!\n"]
