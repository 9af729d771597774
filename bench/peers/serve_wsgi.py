"""serve_wsgi.py bjoern|fastwsgi PORT MODULE: serves an application with a server that has no command line."""
import importlib
import sys

kind, port = sys.argv[1], int(sys.argv[2])
application = importlib.import_module(sys.argv[3]).application
if kind == "bjoern":
  import bjoern
  bjoern.run(application, "127.0.0.1", port)
else:
  import fastwsgi
  fastwsgi.run(wsgi_app=application, host="127.0.0.1", port=port, loglevel=0)
