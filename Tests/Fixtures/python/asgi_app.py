# An ASGI application that says what it is called with, and does by its paths what the tests ask for.
import asyncio, contextvars, gc, json, logging, os, sys, threading, time

begun = {"startup": False, "thread": None}
told = []
word = contextvars.ContextVar("word", default="none")

async def lifespan(scope, receive, send):
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            begun.update(startup=True, thread=threading.get_ident())
            scope["state"]["made"] = "at startup"
            scope["state"]["list"] = []
            await send({"type": "lifespan.startup.complete"})
        else:
            print("the lifespan shuts down", flush=True)
            await send({"type": "lifespan.shutdown.complete"})
            return

async def answer(send, body, status=200, headers=()):
    if isinstance(body, str):
        body = body.encode()
    await send({"type": "http.response.start", "status": status,
                "headers": [(b"content-type", b"text/plain"), *headers]})
    await send({"type": "http.response.body", "body": body})

def plain(value):
    return value.decode("latin-1") if isinstance(value, bytes) else value

async def show_scope(scope, receive, send):
    shown = {name: value for name, value in scope.items() if name not in ("state", "headers")}
    shown["headers"] = [[plain(name), plain(value)] for name, value in scope["headers"]]
    shown["raw_path"], shown["query_string"] = plain(scope["raw_path"]), plain(scope["query_string"])
    shown["types"] = {name: type(value).__name__ for name, value in scope.items()}
    shown["pairs"] = all(type(part) is bytes for pair in scope["headers"] for part in pair)
    shown["state"] = sorted(scope["state"])
    await answer(send, json.dumps(shown))

async def state(scope, receive, send):
    scope["state"]["own"] = True
    scope["state"]["list"].append(1)
    await answer(send, json.dumps([sorted(scope["state"]), len(scope["state"]["list"])]))

async def marks(scope, receive, send):
    '''What a request before has left in its scope, before this one leaves the same.'''
    places = [scope, scope["asgi"], scope["state"], scope["extensions"], *scope["extensions"].values()]
    found = [sorted(place) for place in places if "mark" in place]
    for place in places:
        place["mark"] = {}
    scope["headers"].clear()
    await answer(send, json.dumps([len(places), found]))

async def mirror(scope, receive, send):
    '''The body as it came, piece by piece.'''
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": more})

async def count(scope, receive, send):
    size, pieces, more = 0, 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            told.append("the body broke off")
            return
        size, pieces, more = size + len(message["body"]), pieces + 1, message["more_body"]
    await answer(send, f"{size} {pieces > 1}")

async def slow_upload(scope, receive, send):
    '''Takes a body only when it is told to.'''
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"waiting\n", "more_body": True})
    await asyncio.sleep(0.5)
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.body", "body": b"%d\n" % size})

async def stream(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for number in range(5):
        await send({"type": "http.response.body", "body": b"%d\n" % number, "more_body": True})
        await asyncio.sleep(0.01)
    await send({"type": "http.response.body"})

async def flood(scope, receive, send):
    '''64 MiB, and how far it has come.'''
    await send({"type": "http.response.start", "status": 200, "headers": []})
    begun["flood"] = 0
    try:
        for _ in range(1024):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            begun["flood"] += 65536
    except OSError as error:
        told.append(f"flood: {type(error).__name__}")
        raise
    await send({"type": "http.response.body"})

async def large(scope, receive, send):
    await answer(send, b"y" * 3_000_000)

async def wait_for_end(scope, receive, send):
    '''Waits until the client leaves, before any answer.'''
    message = await receive()
    message = await receive()
    told.append(message["type"])
    told.append("again " + (await receive())["type"])
    try:
        await answer(send, "nobody hears this")
    except OSError:
        told.append("OSError")

async def events(scope, receive, send):
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"text/event-stream"), (b"connection", b"keep-alive")]})
    async def until_left():
        while (await receive())["type"] != "http.disconnect":
            pass
    left = asyncio.ensure_future(until_left())
    while not left.done():
        await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
        await asyncio.wait([left], timeout=0.05)
    told.append("events: left")

async def background(scope, receive, send):
    await answer(send, "answered")
    await asyncio.sleep(0.2)
    told.append("background: done")
    told.append((await receive())["type"])

async def tasks(scope, receive, send):
    '''What asyncio, contextvars and timeouts make of a request.'''
    found = {"current": asyncio.current_task() is not None, "loop": asyncio.get_running_loop().is_running(),
             "loop_type": type(asyncio.get_running_loop()).__module__.partition(".")[0],
             "same_thread": threading.get_ident() == begun["thread"]}
    before, current = word.get(), asyncio.current_task()
    word.set(scope["query_string"].decode())
    async def inner():
        await asyncio.sleep(0)
        return word.get()
    found["context"] = [before, *(await asyncio.gather(inner(), inner()))]
    found["still"] = asyncio.current_task() is current
    try:
        await asyncio.wait_for(asyncio.sleep(5), 0.02)
    except asyncio.TimeoutError:
        found["timeout"] = True
    if sys.version_info >= (3, 11):
        async with asyncio.TaskGroup() as group:
            made = [group.create_task(inner()) for _ in range(2)]
        found["group"] = [one.result() for one in made]
        try:
            async with asyncio.timeout(0.02):
                await asyncio.sleep(5)
        except TimeoutError:
            found["timeout_context"] = True
    found["thread"] = await asyncio.get_running_loop().run_in_executor(None, lambda: "worked")
    process = await asyncio.create_subprocess_exec("/bin/echo", "child", stdout=asyncio.subprocess.PIPE)
    found["process"] = (await process.communicate())[0].decode().strip()
    await answer(send, json.dumps(found))

async def block(scope, receive, send):
    time.sleep(2.6)
    await answer(send, "blocked")

async def sleep(scope, receive, send):
    try:
        await asyncio.sleep(float(scope["query_string"] or b"60"))
    except asyncio.CancelledError:
        told.append("sleep: CancelledError")
        raise
    await answer(send, "slept")

async def file(scope, receive, send):
    path = scope["query_string"].decode()
    found = os.stat(path)
    # The sizes of files without blocks on a disk are made up.
    length = [(b"content-length", b"%d" % found.st_size)] if found.st_blocks else []
    await send({"type": "http.response.start", "status": 200,
                "headers": length + [(b"x-offered",
                            b"yes" if "http.response.pathsend" in scope["extensions"] else b"no")]})
    await send({"type": "http.response.pathsend", "path": path})

async def headers(scope, receive, send):
    await send({"type": "http.response.start", "status": 201, "headers": (
        [b"X-One", b"1"], (b"x-one", b"2"), (b"Set-Cookie", b"a=b"), (b"set-cookie", b"c=d"),
        (b"x-bytes", b"caf\xe9"), (b"transfer-encoding", b"chunked"))})
    await send({"type": "http.response.body", "body": bytearray(b"made")})

async def fail(scope, receive, send):
    raise KeyError("the application fails")

async def fail_late(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise KeyError("it fails in the middle")

async def fail_after(scope, receive, send):
    await answer(send, "whole")
    raise KeyError("it fails behind the end")

async def silent(scope, receive, send):
    pass

async def half(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})

async def body_first(scope, receive, send):
    await send({"type": "http.response.body", "body": b"too early"})

async def start_twice(scope, receive, send):
    start = {"type": "http.response.start", "status": 200, "headers": []}
    await send(start)
    await send(start)

async def after_end(scope, receive, send):
    await answer(send, "whole")
    try:
        await send({"type": "http.response.body", "body": b"more"})
    except RuntimeError as error:
        told.append(f"after the end: {error}")

async def bad_status(scope, receive, send):
    await send({"type": "http.response.start", "status": "200 OK", "headers": []})

async def bad_header(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [("x-text", "no bytes")]})
    await send({"type": "http.response.body"})

async def no_status(scope, receive, send):
    await send({"type": "http.response.start", "headers": []})

async def bad_name(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x y", b"z")]})
    await send({"type": "http.response.body"})

async def bad_path(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.pathsend", "path": "etc/hostname"})

async def no_path(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.pathsend", "path": "/nowhere/at/all"})

def sized(length, *pieces, status=200):
    '''Answers with pieces of a body, whatever length its head names.'''
    async def page(scope, receive, send):
        headers = [] if length is None else [(b"content-length", b"%d" % length)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for piece in pieces[:-1]:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": pieces[-1]})
    return page

async def polls(scope, receive, send):
    '''Looks again and again for a moment whether the client leaves; what that leaves behind.'''
    await receive()
    for _ in range(20):
        try:
            await asyncio.wait_for(receive(), 0.001)
        except asyncio.TimeoutError:
            pass
    await answer(send, str(len(receive.__self__.waiters or ())))

async def memory(scope, receive, send):
    '''Blocks that Python has allocated, resident bytes, tasks and exchanges, after requests that are over.'''
    told.clear()
    gc.collect()
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    await answer(send, json.dumps({
        "blocks": sys.getallocatedblocks(), "resident": resident, "tasks": len(asyncio.all_tasks())}))

async def bad_value(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-split", b"a\r\nb: c")]})
    await send({"type": "http.response.body"})

async def bad_body(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": "text"})

async def leave(scope, receive, send):
    sys.exit(3)

async def show_told(scope, receive, send):
    await answer(send, json.dumps(told))

async def flooded(scope, receive, send):
    await answer(send, str(begun.get("flood")))

async def version(scope, receive, send):
    await answer(send, os.environ.get("APP_VERSION", "none") + f" {os.getpid()}")

async def speak(scope, receive, send):
    '''Prints from the task, from one that it starts, from a thread, and through logging.'''
    word = scope["query_string"].decode()
    async def child():
        await asyncio.sleep(0)
        print(f"child of {word}", flush=True)
    print(f"begin of {word}", flush=True)
    await asyncio.sleep(0.05)
    await asyncio.create_task(child())
    await asyncio.to_thread(print, f"thread of {word}", flush=True)
    logging.getLogger("shop").error("logging of %s", word)
    sys.stderr.write("part of ")
    sys.stderr.write(f"{word}\n")
    await answer(send, "said")

async def debug(scope, receive, send):
    '''As frameworks tell a test client of their template.'''
    await send({"type": "http.response.debug", "info": {"template": "index\x1b[31m.html", "context": {}}})
    await answer(send, "debugged")

pages = {
    "scope": show_scope, "state": state, "mirror": mirror, "count": count, "stream": stream, "flood": flood,
    "large": large, "wait": wait_for_end, "events": events, "background": background, "tasks": tasks,
    "block": block, "sleep": sleep, "file": file, "headers": headers, "fail": fail, "fail_late": fail_late,
    "fail_after": fail_after, "silent": silent, "half": half, "body_first": body_first,
    "start_twice": start_twice, "after_end": after_end, "bad_status": bad_status, "bad_header": bad_header,
    "bad_value": bad_value, "bad_body": bad_body, "leave": leave, "told": show_told, "flooded": flooded,
    "version": version, "slow_upload": slow_upload, "speak": speak, "debug": debug,
    "marks": marks, "no_status": no_status, "bad_name": bad_name, "bad_path": bad_path, "no_path": no_path,
    "polls": polls, "memory": memory, "too_long": sized(2, b"abc"), "too_short": sized(4, b"abc"),
    "grows": sized(2, b"ab", b"cd"), "shrinks": sized(9, b"ab", b"cd"), "fits": sized(6, b"ab", b"", b"abcd"),
    "none": sized(None, b"no body", status=204), "none_in_pieces": sized(None, b"no", b"body", status=204),
    "unchanged": sized(7, b"", status=304), "views": sized(None, memoryview(b"abcd")[::2], bytearray(b"xy")),
}

async def echo(receive, send):
    '''A WebSocket that says everything back.'''
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(scope, receive, send)
    if scope["type"] == "websocket":
        return await echo(receive, send)
    rest = scope["path"][len(scope["root_path"]):]
    page = pages.get(rest.split("/")[1])
    if page is not None:
        return await page(scope, receive, send)
    await answer(send, "hello from ASGI\n")

class Callable:
    async def __call__(self, scope, receive, send):
        await application(scope, receive, send)

instance = Callable()
