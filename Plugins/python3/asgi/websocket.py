# One WebSocket of an ASGI application (ASGI 3, "WebSocket"), from the request that asks for it on. The server
# does the handshake, fragments, pings and compression; what its threads hear is in the plugin's inbox.
# All of it is of the thread of the event loop.
import collections

TEXT, BINARY = 1, 2
# What befalls a socket, as the plugin numbers it beside the kinds of messages.
ROOM, CLOSED = 3, 4
# Messages and bytes that may wait for an application before its client has to.
MOST_MESSAGES, MOST_BYTES = 64, 1 << 20
ABNORMAL, NORMAL, FAILURE = 1006, 1000, 1011
DENIAL = "websocket.http.response."

class Phase(enum.Enum):
    '''How far a socket is.'''
    # The application has not heard of it.
    NEW = 1
    # It has, and has not answered.
    CONNECTING = 2
    # It answers with a response in place of a socket.
    DENYING = 3
    OPEN = 4
    # The client has closed, or is gone; or the application has closed.
    CLOSED = 5

class Socket(Exchange):
    '''What an application is called with for a WebSocket: receive and send.'''
    __slots__ = ("phase", "socket", "messages", "size", "isPaused", "code", "reason", "isTold")

    def __init__(self, serving, application, id, scope, has_body):
        super().__init__(serving, application, id, scope, has_body)
        self.phase, self.socket = Phase.NEW, 0
        self.messages, self.size, self.isPaused = collections.deque(), 0, False
        # What the client has closed with; isTold: the application knows.
        self.code, self.reason, self.isTold = ABNORMAL, "", False
        del scope["method"]
        scope["type"] = "websocket"
        scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
        scope["subprotocols"] = [
            name.strip() for key, value in scope["headers"] if key == b"sec-websocket-protocol"
            for name in value.decode("latin-1").split(",") if name.strip()]
        scope["extensions"] = {"websocket.http.response": {}}

    # What has befallen it.

    def hear(self, what, payload, code):
        '''A message, room, or the end, as the server's threads tell.'''
        if what == CLOSED:
            self.code, self.reason, self.phase = code, payload, Phase.CLOSED
            self.serving.sockets.pop(self.socket, None)
        elif what != ROOM and self.phase is Phase.OPEN:
            self.messages.append(payload)
            self.size += len(payload)
            if not self.isPaused and (len(self.messages) >= MOST_MESSAGES or self.size >= MOST_BYTES):
                self.isPaused = True
                native.asgi_socket_pause(self.socket, 1)
        self.wake()

    async def receive(self):
        if self.phase is Phase.NEW:
            self.phase = Phase.CONNECTING
            return {"type": "websocket.connect"}
        while True:
            if self.messages:
                message = self.messages.popleft()
                self.size -= len(message)
                if self.isPaused and len(self.messages) < MOST_MESSAGES // 2 and self.size < MOST_BYTES // 2:
                    self.isPaused = False
                    native.asgi_socket_pause(self.socket, 0)
                kind = "text" if type(message) is str else "bytes"
                return {"type": "websocket.receive", kind: message}
            if self.phase is Phase.CLOSED or self.isGone or self.stage is OVER and not self.socket:
                self.isTold = True
                return {"type": "websocket.disconnect", "code": self.code, "reason": self.reason}
            if self.socket:
                await self.news()
            else:
                await self.until(LEFT)

    # What the application says.

    async def send(self, message):
        kind = message["type"]
        if self.phase is Phase.OPEN:
            return await self.say(kind, message)
        if self.phase is Phase.CLOSED or self.isGone:
            raise ClientDisconnected("the client is gone")
        if self.phase is not Phase.DENYING and kind == "websocket.accept":
            return self.accept(message)
        if self.phase is not Phase.DENYING and kind == "websocket.close":
            self.phase = Phase.DENYING
            self.status, self.headers, self.stage = 403, [], STARTED
            self.checked(self.with_head(native.asgi_respond, b""))
            return self.end()
        if kind.startswith(DENIAL):
            self.phase = Phase.DENYING
            return await super().send({**message, "type": "http.response." + kind[len(DENIAL):]})
        raise RuntimeError(f"expected the ASGI message 'websocket.accept', 'websocket.close' or "
                           f"'websocket.http.response.start', but got {kind!r}")

    def accept(self, message):
        name = message.get("subprotocol")
        headers = as_headers(message.get("headers") or ())
        found = native.asgi_socket_accept(self.application, self.id, (name or "").encode("latin-1"), headers)
        if found < 0:
            if found == MISUSE:
                raise RuntimeError("the server refuses this 'websocket.accept'; its reason is in the log")
            # The server has answered a handshake that is malformed.
            self.isGone = True
            self.finish(OK)
            raise ClientDisconnected("the client's handshake was refused")
        self.socket, self.phase = found, Phase.OPEN
        self.serving.sockets[found] = self
        self.finish(OK)

    async def say(self, kind, message):
        if kind == "websocket.send":
            text, data = message.get("text"), message.get("bytes")
            if text is None and data is None:
                raise ValueError("'websocket.send' has either text or bytes")
            if text is not None:
                sort, payload = TEXT, text.encode()
            else:
                sort, payload = BINARY, data if type(data) is bytes else bytes(data)
            while True:
                result = native.asgi_socket_send(self.socket, sort, payload)
                if result == OK:
                    return
                if result == AGAIN:
                    await self.news()
                if result != AGAIN or self.phase is not Phase.OPEN:
                    raise ClientDisconnected("the client is gone")
        elif kind == "websocket.close":
            self.phase = Phase.CLOSED
            self.close(message.get("code", NORMAL), message.get("reason") or "")
        else:
            raise RuntimeError(f"expected the ASGI message 'websocket.send' or 'websocket.close', "
                               f"but got {kind!r}")

    def close(self, code, reason):
        self.code = NORMAL if code is None else code
        if native.asgi_socket_close(self.socket, self.code, reason.encode()) == MISUSE:
            native.asgi_socket_close(self.socket, FAILURE, b"")
            raise ValueError(f"a WebSocket is not closed with {code!r}, but with 1000, 1001, 1003, 1007 to "
                             "1014 or 3000 to 4999")

    # The end of the application.

    def failed(self, error):
        if not self.socket:
            return super().failed(error)
        if self.phase is Phase.OPEN or not is_caused_by_client(error):
            trace, sentence = describe(error)
            self.log("error", f"{self.heading()} failed:\n{trace or sentence}")
        if self.phase is Phase.OPEN:
            self.phase = Phase.CLOSED
            self.close(FAILURE, "")

    def incomplete(self):
        if self.phase is Phase.DENYING or self.isGone:
            return super().incomplete()
        where = place(self.application.name, self.application.callable, None)
        self.log("error", f"{self.heading()}: the application returned without an answer to "
                          f"'websocket.connect': {where}")
        self.give_up(FAILED)

    async def run(self):
        await super().run()
        if self.phase is Phase.OPEN:
            self.phase = Phase.CLOSED
            self.close(NORMAL, "")

    def heading(self):
        return f"WebSocket {self.scope['path']}"
