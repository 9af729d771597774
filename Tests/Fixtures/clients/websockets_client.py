# Drives sockets_app.py with the clients of PyPI's websockets, wsproto and picows, and Socket.IO with its own:
# websockets_client.py URL [CERTIFICATE]. Says what is wrong by an exception.
import asyncio, json, socket as sockets, ssl, sys, urllib.request
from urllib.parse import urlsplit

import socketio
from picows import WSCloseCode, WSListener, WSMsgType, ws_connect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection, BytesMessage, CloseConnection, Message, Ping, Pong, Request, TextMessage)
from wsproto.extensions import PerMessageDeflate

url = sys.argv[1]
base = url.replace("http", "ws", 1)
options = {}
if url.startswith("https"):
    options["ssl"] = ssl.create_default_context(cafile=sys.argv[2])

def join(path, **more):
    return connect(base + path, max_size=None, **options, **more)

async def end_of(socket):
    try:
        while True:
            await socket.recv()
    except ConnectionClosed:
        return socket.close_code, socket.close_reason

async def starlette():
    for compression in "deflate", None:
        async with join("/echo", compression=compression, subprotocols=["other", "chat"]) as socket:
            assert socket.subprotocol == "chat" and socket.response.headers["x-from"] == "starlette"
            for size in 0, 1, 125, 126, 65535, 65536, 300_000:
                for message in "ü" * size, bytes(size):
                    await socket.send(message)
                    assert await socket.recv() == message, size
            for number in range(300):
                await socket.send(str(number))
            for number in range(300):
                assert await socket.recv() == str(number)
            await socket.close(3001, "enough")
    async with join("/echo") as socket:
        await socket.send("leave")
        assert await end_of(socket) == (4000, "as you wish")
    async with join("/echo") as socket:
        await socket.send("fail")
        assert await end_of(socket) == (1011, "")
    socket = await join("/echo")
    socket.transport.abort()
    for _ in range(100):
        context = options.get("ssl")
        with urllib.request.urlopen(url + "/ends", context=context) as response:
            found = response.read().decode().split("\n")
        if len(found) == 3:
            break
        await asyncio.sleep(0.05)
    assert found == ["3001 enough", "3001 enough", "1006 "], found

async def denials():
    for path, status, body in ("/refuse", 403, b""), ("/deny", 418, b"not you"), ("/silent", 500, None):
        try:
            async with join(path):
                raise AssertionError(path)
        except InvalidStatus as error:
            assert error.response.status_code == status, (path, error.response)
            assert body is None or error.response.body == body
            assert path != "/deny" or error.response.headers["x-why"] == "denied"

async def pressure():
    async with join("/slow", compression=None) as socket:
        for _ in range(300):
            await socket.send(bytes(50_000))
        await socket.send(b"")
        assert await socket.recv() == "15000000"
    async with join("/flood", compression=None) as socket:
        await asyncio.sleep(1)
        for number in range(200):
            assert await socket.recv() == bytes([number]) * 100_000
        assert await end_of(socket) == (1000, "")

async def frameworks():
    async with join("/fastapi/greet?name=x") as socket:
        assert json.loads(await socket.recv()) == {"greeting": "hello x", "scheme": base.split(":")[0]}
        await socket.send('{"a": 1}')
        assert json.loads(await socket.recv()) == {"got": {"a": 1}}
    async with join("/channels/echo") as socket:
        await socket.send("hello")
        assert await socket.recv() == "HELLO"
        await socket.send(b"\0\1")
        assert await socket.recv() == b"\0\1"
    for bits in 9, 15:
        bounded = ClientPerMessageDeflateFactory(server_max_window_bits=bits)
        async with join("/channels/echo", compression=None, extensions=[bounded]) as socket:
            await socket.send("hello " * 10_000)
            assert await socket.recv() == "HELLO " * 10_000
    async with join("/channels/room") as one, join("/channels/room") as other:
        await one.send('{"words": "hi"}')
        assert json.loads(await one.recv()) == json.loads(await other.recv()) == {"said": "hi"}
    async with join("/plain/a%20b?c=d", subprotocols=["x", "y"]) as socket:
        found = eval(await socket.recv())
        scheme = base.split(":")[0]
        assert found == {
            "type": "websocket", "path": "/plain/a b", "root_path": "", "http_version": "1.1",
            "scheme": scheme, "query": "c=d", "subprotocols": ["x", "y"],
            "extensions": (["tls"] if scheme == "wss" else []) + ["websocket.http.response"],
            "method": False}, found
        assert await end_of(socket) == (1000, "")

def wsproto():
    place = urlsplit(url)
    raw = sockets.create_connection((place.hostname, place.port), 20)
    if "ssl" in options:
        raw = options["ssl"].wrap_socket(raw, server_hostname=place.hostname)
    protocol = WSConnection(ConnectionType.CLIENT)

    def send(*events):
        raw.sendall(b"".join(protocol.send(event) for event in events))

    def incoming():
        while True:
            yield from protocol.events()
            protocol.receive_data(raw.recv(65536) or None)

    with raw:
        heard = incoming()
        deflate = PerMessageDeflate()
        send(Request(host=place.netloc, target="/echo", subprotocols=["other", "chat"], extensions=[deflate]))
        accepted = next(heard)
        assert isinstance(accepted, AcceptConnection) and accepted.subprotocol == "chat", accepted
        for size in 0, 126, 70_000:
            for kind, message in (TextMessage, "ü" * size), (BytesMessage, bytes(size)):
                send(kind(data=message))
                pieces = [next(heard)]
                while isinstance(pieces[-1], Message) and not pieces[-1].message_finished:
                    pieces.append(next(heard))
                assert all(isinstance(piece, kind) for piece in pieces), pieces
                assert message[:0].join(piece.data for piece in pieces) == message, size
        # A ping between two fragments is answered before the message is complete.
        send(TextMessage(data="in two ", message_finished=False), Ping(payload=b"between"),
             TextMessage(data="frames"))
        pong, whole = next(heard), next(heard)
        assert isinstance(pong, Pong) and pong.payload == b"between", pong
        assert isinstance(whole, TextMessage) and whole.data == "in two frames", whole
        send(CloseConnection(code=1000, reason="done"))
        end = next(heard)
        assert isinstance(end, CloseConnection) and end.code == 1000, end

async def picows():
    heard = asyncio.Queue()

    class Listener(WSListener):
        def on_ws_frame(self, transport, frame):
            heard.put_nowait((frame.msg_type, frame.get_payload_as_bytes()))

    context = options.get("ssl")
    transport, _ = await ws_connect(Listener, base + "/echo", ssl_context=context, use_aiofastnet=False)
    for size in 0, 126, 70_000:
        for kind, message in (WSMsgType.TEXT, "ü".encode() * size), (WSMsgType.BINARY, bytes(size)):
            transport.send(kind, message)
            assert await heard.get() == (kind, message), size
    transport.send(WSMsgType.TEXT, b"in two ", fin=False)
    transport.send(WSMsgType.CONTINUATION, b"frames")
    assert await heard.get() == (WSMsgType.TEXT, b"in two frames")
    transport.send_close(WSCloseCode.OK, b"done")
    kind, payload = await heard.get()
    assert kind == WSMsgType.CLOSE and payload[:2] == b"\x03\xe8", payload
    await transport.wait_disconnected()

def socket_io(transports):
    client = socketio.Client(ssl_verify=False)
    heard = []
    client.on("told", heard.append)
    client.connect(url, transports=transports)
    assert client.transport() == transports[-1]
    assert client.call("add", (2, 3)) == 5
    client.emit("tell", "words")
    for _ in range(100):
        if heard:
            break
        client.sleep(0.05)
    assert heard == ["words"], heard
    # A polite end of a polling client waits for the poll that is under way, some 25 seconds with any server.
    client.eio.disconnect(abort=True)

async def main():
    await starlette()
    await denials()
    await pressure()
    await frameworks()
    await picows()

asyncio.run(asyncio.wait_for(main(), 100))
wsproto()
if url.startswith("http:"):
    socket_io(["polling"])
    socket_io(["websocket"])
print("all is well")
