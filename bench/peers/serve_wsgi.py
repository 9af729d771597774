"""serve_wsgi.py bjoern|fastwsgi PORT: serves wsgi_hello with a server that has no command line of its own."""
import sys

from wsgi_hello import application

kind, port = sys.argv[1], int(sys.argv[2])
if kind == "bjoern":
  import bjoern
  bjoern.run(application, "127.0.0.1", port)
else:
  import fastwsgi
  fastwsgi.run(wsgi_app=application, host="127.0.0.1", port=port, loglevel=0)
