# Sanic in its ASGI mode.
from sanic import Sanic
from sanic.response import json, text

application = Sanic("hello")

@application.get("/")
async def index(request):
    return text("Sanic says hello")

@application.post("/json")
async def echo(request):
    return json({"got": request.json})

@application.get("/stream")
async def stream(request):
    response = await request.respond(content_type="text/plain")
    for number in range(5):
        await response.send(f"{number}\n")
    await response.eof()
