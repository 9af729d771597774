# WebSockets of Starlette, FastAPI, Django Channels and Socket.IO, and of a plain ASGI application, by the
# first part of the path.
import asyncio

import django_asgi
import socketio
from channels.generic.websocket import AsyncJsonWebsocketConsumer, WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import re_path
from fastapi import FastAPI, Depends
from fastapi import WebSocket as FastSocket
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

ends = []

async def starlette_echo(socket):
    await socket.accept(subprotocol="chat" if "chat" in socket["subprotocols"] else None,
                        headers=[(b"x-from", b"starlette")])
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"], message.get("reason"))
            if message.get("text") == "leave":
                return await socket.close(4000, "as you wish")
            if message.get("text") == "fail":
                raise RuntimeError("the socket fails")
            if message.get("text") is not None:
                await socket.send_text(message["text"])
            else:
                await socket.send_bytes(message["bytes"])
    except WebSocketDisconnect as end:
        ends.append(f"{end.code} {end.reason}")

async def show_ends(request):
    return PlainTextResponse("\n".join(ends))

async def refuse(socket):
    await socket.close(1008)

async def deny(socket):
    await socket.send_denial_response(PlainTextResponse("not you", 418, {"x-why": "denied"}))

async def silent(socket):
    pass

async def slow(socket):
    '''Receives nothing until it is told that all was sent, by the other one.'''
    await socket.accept()
    await asyncio.sleep(1)
    total = 0
    async for message in socket.iter_bytes():
        total += len(message)
        if not message:
            await socket.send_text(str(total))

async def flood(socket):
    await socket.accept()
    for number in range(200):
        await socket.send_bytes(bytes([number]) * 100_000)
    await socket.close()

starlette = Starlette(routes=[
    Route("/ends", show_ends), WebSocketRoute("/echo", starlette_echo), WebSocketRoute("/refuse", refuse),
    WebSocketRoute("/deny", deny), WebSocketRoute("/silent", silent), WebSocketRoute("/slow", slow),
    WebSocketRoute("/flood", flood)])

fastapi = FastAPI()

async def greeting(name: str = "nobody"):
    return f"hello {name}"

@fastapi.websocket("/greet")
async def greet(socket: FastSocket, words: str = Depends(greeting)):
    await socket.accept()
    await socket.send_json({"greeting": words, "scheme": socket.url.scheme})
    while True:
        await socket.send_json({"got": await socket.receive_json()})

class Echo(WebsocketConsumer):
    def connect(self):
        self.accept()

    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data and text_data.upper(), bytes_data)

class Room(AsyncJsonWebsocketConsumer):
    async def connect(self):
        await self.channel_layer.group_add("room", self.channel_name)
        await self.accept()

    async def receive_json(self, content):
        await self.channel_layer.group_send("room", {"type": "say", "words": content["words"]})

    async def say(self, event):
        await self.send_json({"said": event["words"]})

channels = ProtocolTypeRouter({
    "http": django_asgi.application,
    "websocket": URLRouter([re_path("^channels/echo$", Echo.as_asgi()),
                            re_path("^channels/room$", Room.as_asgi())])})

server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")

@server.event
async def add(sid, one, other):
    return one + other

@server.event
async def tell(sid, words):
    await server.emit("told", words)

socket_io = socketio.ASGIApp(server)

async def plain(scope, receive, send):
    '''ASGI itself: says what its scope is.'''
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    shown = {key: scope[key] for key in ("type", "path", "root_path", "http_version", "scheme")}
    shown |= {"query": scope["query_string"].decode(), "subprotocols": scope["subprotocols"],
              "extensions": sorted(scope["extensions"]), "method": "method" in scope}
    await send({"type": "websocket.send", "text": repr(shown)})

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        return await starlette(scope, receive, send)
    first = scope["path"].split("/")[1]
    found = {"fastapi": fastapi, "channels": channels, "socket.io": socket_io, "plain": plain}.get(first)
    if first == "fastapi":
        scope = {**scope, "root_path": "/fastapi"}
    return await (found or starlette)(scope, receive, send)
