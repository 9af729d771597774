"""Pyramid: views and a file response."""
from pyramid.config import Configurator
from pyramid.response import FileResponse, Response


def hello(request):
  return Response(f"Pyramid says hello to {request.matchdict['name']}")


def file(request):
  return FileResponse(__file__, request=request, content_type="text/plain")


with Configurator() as config:
  config.add_route("hello", "/hello/{name}")
  config.add_view(hello, route_name="hello")
  config.add_route("file", "/file")
  config.add_view(file, route_name="file")
  app = application = config.make_wsgi_app()
