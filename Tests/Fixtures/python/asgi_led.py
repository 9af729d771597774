# An application that sees on which thread, and how, its event loop is run.
import asyncio, sqlite3, threading, time

local = threading.local()
# Requests that have blocked.
blocked = 0

async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})

async def kept():
    """What belongs to a thread is there after a wait, and a connection of sqlite3 can be used."""
    local.value, database = 7, sqlite3.connect(":memory:")
    await asyncio.sleep(0.01)
    return f"{getattr(local, 'value', None)} {database.execute('SELECT 1').fetchone()[0]}"

async def timers():
    """Timers that are cancelled at once, in the first step of a request."""
    loop = asyncio.get_running_loop()
    for _ in range(50):
        loop.call_later(3600, print).cancel()
    return str(len(loop._scheduled))

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return await send({"type": "lifespan.shutdown.complete"})
    path = scope["path"]
    if path == "/thread":
        await asyncio.sleep(0)
        text = threading.current_thread().name
    elif path == "/kept":
        text = await kept()
    elif path == "/timers":
        text = await timers()
    elif path == "/blocks":
        time.sleep(float(scope["query_string"]))
        global blocked
        blocked += 1
        text = "blocked"
    elif path == "/blocks_later":
        await asyncio.sleep(0.01)
        time.sleep(float(scope["query_string"]))
        text = "blocked later"
    elif path == "/soon":
        ready = asyncio.Event()
        asyncio.get_running_loop().call_later(0.2, ready.set)
        await ready.wait()
        text = f"soon {blocked}"
    elif path == "/stop":
        asyncio.get_running_loop().stop()
        text = "asked"
    else:
        text = "hello"
    await answer(send, text)
