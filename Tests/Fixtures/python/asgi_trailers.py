# An ASGI application with early hints and trailers, and with every wrong order of them, by its paths.
import json, os

TRAILERS = {"type": "http.response.trailers", "headers": [(b"x-sum", b"3"), (b"X-Other", b"")]}

def start(headers=(), trailers=True):
    return {"type": "http.response.start", "status": 200, "trailers": trailers,
            "headers": [(b"content-type", b"text/plain"), *headers]}

def body(data, more=False):
    return {"type": "http.response.body", "body": data, "more_body": more}

async def say(send, value):
    await send(start(trailers=False))
    await send(body(json.dumps(value).encode()))

async def extensions(scope, send):
    await say(send, sorted(scope["extensions"]))

async def hints(scope, send):
    await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload", b"</b.js>"]})
    await send({"type": "http.response.early_hint", "links": []})
    await say(send, "hinted")

async def unary(scope, send):
    await send(start())
    await send(body(b"abc"))
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"3")], "more_trailers": True})
    await send({"type": "http.response.trailers", "headers": [[b"X-Other", b""]]})

async def stream(scope, send):
    await send(start([(b"trailer", b"x-sum, x-other")]))
    for piece in b"a", b"b", b"c":
        await send(body(piece, True))
    await send(body(b""))
    await send(TRAILERS)

async def empty(scope, send):
    await send(start())
    await send(body(b""))
    await send(TRAILERS)

async def announced(scope, send):
    '''With a length, which chunks replace.'''
    await send(start([(b"Trailer", b"x-sum"), (b"content-length", b"3")]))
    await send(body(b"abc"))
    await send(TRAILERS)

async def lengthy(scope, send):
    '''With a length that nobody is told to do without.'''
    await send(start([(b"content-length", b"3")]))
    await send(body(b"a", True))
    await send(body(b"bc"))
    await send(TRAILERS)

async def file(scope, send):
    path = scope["query_string"].decode()
    await send(start([(b"trailer", b"x-sum"), (b"content-length", str(os.stat(path).st_size).encode())]))
    await send({"type": "http.response.pathsend", "path": path})
    await send(TRAILERS)

# What is sent in a wrong order or form, and by which exception it is refused.
WRONG = {
    "unannounced": [start(trailers=False), body(b"x"), TRAILERS],
    "early": [start(), TRAILERS],
    "twice": [start(), body(b"x"), TRAILERS, TRAILERS],
    "more_body": [start(), body(b"x"), body(b"y")],
    "head_field": [start(), body(b"x"), {"type": TRAILERS["type"], "headers": [(b"host", b"x")]}],
    "text": [start(), body(b"x"), {"type": TRAILERS["type"], "headers": [("x-sum", "3")]}],
    "line_end": [start(), body(b"x"), {"type": TRAILERS["type"], "headers": [(b"x", b"a\r\nb: c")]}],
    "late_hint": [start(), {"type": "http.response.early_hint", "links": [b"</a>"]}],
    "bad_hint": [{"type": "http.response.early_hint", "links": [b"</a>\n"]}],
    "text_hint": [{"type": "http.response.early_hint", "links": ["</a>"]}],
}
raised = {}

async def wrong(scope, send):
    name = scope["query_string"].decode()
    try:
        for message in WRONG[name]:
            await send(message)
    except Exception as error:
        raised[name] = f"{type(error).__name__}: {error}"
        raise
    raised[name] = "nothing"

async def missing(scope, send):
    await send(start())
    await send(body(b"x"))

async def last(scope, send):
    await say(send, raised.get(scope["query_string"].decode()))

async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError("http alone")
    await globals()[scope["path"][1:]](scope, send)
