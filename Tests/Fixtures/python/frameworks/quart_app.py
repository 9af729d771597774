# Quart: routes, forms, streams both ways, startup and shutdown.
import asyncio

from quart import Quart, request

application = Quart(__name__)
begun = []

@application.before_serving
async def begin():
    begun.append("begun")

@application.get("/")
async def index():
    return f"Quart says hello, {begun[0]}"

@application.post("/form")
async def form():
    form, files = await request.form, await request.files
    return {"a": form["a"], "size": len(files["f"].read())}

@application.post("/count")
async def count():
    size = 0
    async for piece in request.body:
        size += len(piece)
    return str(size)

@application.get("/stream")
async def stream():
    async def lines():
        for number in range(5):
            yield f"{number}\n"
            await asyncio.sleep(0.01)
    return lines(), 200, {"X-Kind": "stream"}

@application.get("/fail")
async def fail():
    raise RuntimeError("quart fails")
