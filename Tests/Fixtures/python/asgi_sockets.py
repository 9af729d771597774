# An ASGI application of WebSockets that says what it was called with, denies by its paths, and otherwise says
# everything back.
import json

SHOWN = "type", "scheme", "http_version", "path", "query_string", "subprotocols"


def shown(scope):
    values = {name: scope[name] for name in SHOWN}
    values["query_string"] = values["query_string"].decode()
    values["headers"] = sorted(name.decode() for name, _ in scope["headers"])
    return json.dumps(values, sort_keys=True)


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        return await send({"type": "http.response.body", "body": b"plain"})
    await receive()
    if scope["path"] == "/closed":
        return await send({"type": "websocket.close"})
    if scope["path"] == "/denied":
        await send({"type": "websocket.http.response.start", "status": 451, "headers": [(b"x-why", b"law")]})
        return await send({"type": "websocket.http.response.body", "body": b"not here"})
    names = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": names[0] if names else None,
                "headers": [(b"x-made", b"here")]})
    if scope["path"] == "/scope":
        await send({"type": "websocket.send", "text": shown(scope)})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "go":
            return await send({"type": "websocket.close", "code": 4000, "reason": "went"})
        await send({**message, "type": "websocket.send"})
    print(f"gone with {message['code']}", flush=True)
