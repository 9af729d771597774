# Litestar: handlers, data, streams, files.
import asyncio
from dataclasses import dataclass

from litestar import Litestar, get, post
from litestar.response import File, Stream

@dataclass
class Item:
    name: str
    price: float

@get("/")
async def index() -> str:
    return "Litestar says hello"

@post("/items")
async def items(data: Item) -> dict:
    return {"name": data.name, "twice": data.price * 2}

@get("/sync", sync_to_thread=True)
def sync() -> str:
    return "sync"

@get("/stream")
async def stream() -> Stream:
    async def lines():
        for number in range(5):
            yield f"{number}\n"
            await asyncio.sleep(0.01)
    return Stream(lines())

@get("/file")
async def file() -> File:
    return File(path=__file__)

application = Litestar([index, items, sync, stream, file])
