"""expected.py MODULE: the body that an application answers, from itself, without any server."""
import importlib
import sys
from wsgiref.util import setup_testing_defaults

environ = {"PATH_INFO": "/", "HTTP_HOST": "localhost"}
setup_testing_defaults(environ)
statuses = []
answer = importlib.import_module(sys.argv[1]).application(environ, lambda status, *_: statuses.append(status))
body = b"".join(answer)
if statuses != ["200 OK"]:
  raise SystemExit(f"{sys.argv[1]} answers {statuses}")
sys.stdout.buffer.write(body)
