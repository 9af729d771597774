# An ASGI application whose mistakes must not cost other requests their answers; by paths, what tests ask for.
import asyncio, json, os, sys, tempfile

closed = []

async def answer(send, body, status=200):
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body.encode()})

async def exits_in_a_task(scope, receive, send):
    asyncio.create_task(leave())
    await asyncio.sleep(0.05)
    await answer(send, "went on")

async def leave():
    sys.exit(3)

async def stops_the_loop(scope, receive, send):
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)
    await answer(send, "went on")

async def exits(scope, receive, send):
    sys.exit(3)

async def without_path(scope, receive, send):
    del scope["path"], scope["method"]
    raise RuntimeError("no path")

class Odd(Exception):
    @property
    def exceptions(self):
        return (self,)

    def __bool__(self):
        raise RuntimeError("odd")

async def odd(scope, receive, send):
    raise Odd("odd")

async def odd_cause(scope, receive, send):
    try:
        raise Odd("odd")
    except Odd as error:
        raise RuntimeError("behind") from error

async def sends(send, path):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.pathsend", "path": path})

async def sends_directory(scope, receive, send):
    await sends(send, tempfile.gettempdir())

async def sends_fifo(scope, receive, send):
    place = os.path.join(tempfile.mkdtemp(), "fifo")
    os.mkfifo(place)
    try:
        await sends(send, place)
    finally:
        os.unlink(place)
        os.rmdir(os.path.dirname(place))

async def changes_headers(scope, receive, send):
    '''Its headers are gone once the server's own Python runs, to warn of the one in the middle.'''
    pairs = [[b"x-%d" % number, b"the value of %d" % number] for number in range(20)]
    pairs.insert(10, [b"connection", b"close"])
    words = []

    def look(frame, event, argument):
        if event == "call" and frame.f_code.co_name == "warn_of_connection":
            sys.setprofile(None)
            for pair in pairs:
                pair.clear()
            words.extend(b"%d" % (10 ** number) for number in range(100))
    sys.setprofile(look)
    try:
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": b"%d pairs" % len(pairs[0])})
    finally:
        sys.setprofile(None)

async def fails(scope, receive, send):
    raise RuntimeError("as it should")

async def socket(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    message = await receive()
    wanted = json.loads(message["text"])
    try:
        kind = "websocket.send" if {"text", "bytes"} & set(wanted) else "websocket.close"
        await send({"type": kind, **wanted})
    except Exception as error:
        closed.append(type(error).__name__)
        raise

async def lengths(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": str(len(message["text"]))})

async def hasty(receive, send):
    '''Accepts before it has asked who is there.'''
    await send({"type": "websocket.accept"})
    kinds = [(await receive())["type"] for _ in range(2)]
    await send({"type": "websocket.send", "text": " ".join(kinds)})

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    if scope["type"] == "websocket" and scope["path"] == "/lengths":
        return await lengths(receive, send)
    if scope["type"] == "websocket" and scope["path"] == "/hasty":
        return await hasty(receive, send)
    if scope["type"] == "websocket":
        return await socket(scope, receive, send)
    name = scope["path"].strip("/").split("\n")[0]
    if name == "closed":
        return await answer(send, json.dumps(closed))
    await globals().get(name, answer_ok)(scope, receive, send)

async def answer_ok(scope, receive, send):
    await answer(send, "ok")

application = app
