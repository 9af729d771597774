"""Hello world in Starlette, for the servers of ASGI."""
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def hello(request):
  """A plain route, without middleware of its own."""
  return PlainTextResponse("Hello World\n")


application = Starlette(routes=[Route("/", hello)])
