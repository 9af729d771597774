"""serve.py SERVER PORT MODULE: an application with a server that has no command line of its own.

Each as its manual says. What differs from its defaults: no line for each request, a backlog of 4096, as many
kept connections as the load opens. A process each, and as many threads as the server's own default.
"""
import importlib
import logging
import os
import socket
import sys

HOST, BACKLOG, CONNECTIONS, KEPT_SECONDS = "127.0.0.1", 4096, 4000, 300


def application_of(module: str):
  """The application; after whatever a server has to do before others are imported."""
  return importlib.import_module(module).application


def bjoern(port, module):
  """On libev, in C."""
  import bjoern as server
  server.listen(application_of(module), HOST, port, listen_backlog=BACKLOG)
  server.run()


def fastwsgi(port, module):
  """On libuv and llhttp, in C."""
  import fastwsgi as server
  server.server.backlog = BACKLOG
  server.run(wsgi_app=application_of(module), host=HOST, port=port, loglevel=0)


def meinheld(port, module):
  """On picoev, in C; keeps connections only if told to."""
  from meinheld import server
  server.set_backlog(BACKLOG)
  server.set_keepalive(KEPT_SECONDS)
  server.set_access_logger(None)
  server.listen((HOST, port))
  server.run(application_of(module))


def gevent(port, module):
  """Green threads on libev."""
  from gevent import monkey
  monkey.patch_all()
  from gevent.pywsgi import WSGIServer
  WSGIServer((HOST, port), application_of(module), backlog=BACKLOG, log=None).serve_forever()


def eventlet(port, module):
  """Green threads on epoll."""
  import eventlet as server
  server.monkey_patch()
  from eventlet import wsgi
  listener = server.listen((HOST, port), backlog=BACKLOG)
  wsgi.server(listener, application_of(module), log_output=False, max_size=CONNECTIONS)


def tornado(port, module):
  """WSGIContainer: the application runs on the loop."""
  import asyncio
  from tornado.httpserver import HTTPServer
  from tornado.wsgi import WSGIContainer

  async def serve():
    HTTPServer(WSGIContainer(application_of(module))).listen(port, HOST, backlog=BACKLOG)
    await asyncio.Event().wait()
  logging.getLogger("tornado.access").setLevel(logging.ERROR)
  asyncio.run(serve())


def twisted(port, module):
  """WSGIResource: the reactor, and its pool of threads for applications."""
  from twisted.internet import reactor
  from twisted.web.server import Site
  from twisted.web.wsgi import WSGIResource
  resource = WSGIResource(reactor, reactor.getThreadPool(), application_of(module))
  reactor.listenTCP(port, Site(resource, timeout=KEPT_SECONDS), backlog=BACKLOG, interface=HOST)
  reactor.run()


def werkzeug(port, module):
  """The server of development: a thread for each connection, HTTP/1.0."""
  from werkzeug import serving
  serving.BaseWSGIServer.request_queue_size = BACKLOG
  logging.getLogger("werkzeug").setLevel(logging.ERROR)
  serving.run_simple(HOST, port, application_of(module), threaded=True)


def wsgiref(port, module):
  """The standard library's: one request at a time, HTTP/1.0."""
  from wsgiref import simple_server

  class Silent(simple_server.WSGIRequestHandler):
    """Writes no line for each request."""
    def log_message(self, *_):
      pass
  simple_server.WSGIServer.request_queue_size = BACKLOG
  simple_server.make_server(HOST, port, application_of(module), handler_class=Silent).serve_forever()


def flup_fcgi(port, module):
  """FastCGI, a pool of threads."""
  from flup.server.fcgi import WSGIServer
  WSGIServer(application_of(module), bindAddress=(HOST, port)).run()


def flup_scgi(port, module):
  """SCGI, a pool of threads."""
  from flup.server.scgi import WSGIServer
  WSGIServer(application_of(module), scriptName="", bindAddress=(HOST, port)).run()


def flipflop(port, module):
  """FastCGI on descriptor 0, which is where spawn-fcgi would put the socket."""
  from flipflop import WSGIServer
  listener = socket.create_server((HOST, port), backlog=BACKLOG)
  os.dup2(listener.fileno(), 0)
  listener.close()
  WSGIServer(application_of(module)).run()


if __name__ == "__main__":
  sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
  globals()[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
