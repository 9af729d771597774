# Starlette: routes, forms, streams, files, background tasks, middleware, state of the lifespan.
import asyncio, contextlib, os

import anyio
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

done = []

@contextlib.asynccontextmanager
async def lifespan(app):
    yield {"word": "from the lifespan"}
    print("starlette shuts down", flush=True)

async def index(request):
    return PlainTextResponse(f"Starlette says hello {request.state.word}")

async def form(request):
    async with request.form() as form:
        return JSONResponse({"a": form["a"], "size": len(await form["f"].read())})

async def stream(request):
    async def lines():
        for number in range(5):
            yield f"{request.query_params['word']}{number}\n"
            await asyncio.sleep(0.01)
    return StreamingResponse(lines())

async def echo(request):
    async def pieces():
        async for piece in request.stream():
            yield piece
    return StreamingResponse(pieces())

async def file(request):
    return FileResponse(__file__)

async def background(request):
    async def later():
        await asyncio.sleep(0.05)
        done.append("later")
    return PlainTextResponse("now", background=BackgroundTask(later))

async def show_done(request):
    return JSONResponse(done)

async def tasks(request):
    found = []
    async with anyio.create_task_group() as group:
        async def add(word):
            await anyio.sleep(0.01)
            found.append(word)
        group.start_soon(add, "a")
        group.start_soon(add, "b")
    with anyio.move_on_after(0.02):
        await anyio.sleep(5)
    found.append(await anyio.to_thread.run_sync(lambda: "c"))
    return JSONResponse(found)

def in_a_thread(request):
    return PlainTextResponse("sync view")

async def fail(request):
    raise RuntimeError("starlette fails")

class Stamp(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers["x-stamp"] = "yes"
        return response

application = Starlette(
    lifespan=lifespan, middleware=[Middleware(Stamp), Middleware(GZipMiddleware, minimum_size=100_000)],
    routes=[Route("/", index), Route("/form", form, methods=["POST"]), Route("/stream", stream),
            Route("/echo", echo, methods=["POST"]), Route("/file", file), Route("/background", background),
            Route("/done", show_done), Route("/tasks", tasks), Route("/sync", in_a_thread),
            Route("/fail", fail), Mount("/static", StaticFiles(directory=os.path.dirname(__file__)))])
