"""Hello world in FastAPI, for the servers of ASGI."""
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

application = FastAPI()


@application.get("/", response_class=PlainTextResponse)
async def hello():
  """As in FastAPI's own first example, but the same bytes as everywhere here."""
  return PlainTextResponse("Hello World\n")
