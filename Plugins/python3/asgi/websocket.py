# One WebSocket of an ASGI application (ASGI 3, "WebSocket"), from the request that asks for it on. The server
# does the handshake, fragments, pings and compression; what its threads receive is in the plugin's inbox. All
# of this runs on the thread of the event loop.
import collections

TEXT, BINARY = 1, 2
# Events of a socket, with the plugin's numbers, beside the kinds of messages.
ROOM, CLOSED = 3, 4
# Messages and bytes that may wait for an application before its client has to.
MOST_MESSAGES, MOST_BYTES = 64, 1 << 20
ABNORMAL, NORMAL, FAILURE, NEVER_SENT = 1006, 1000, 1011, 1005
DENIAL = "websocket.http.response."

class Phase(enum.Enum):
    '''How far a socket has come.'''
    # The application has not answered.
    CONNECTING = 1
    # It answers with a response instead of a socket.
    DENYING = 2
    OPEN = 3
    # The client has closed, or is gone; or the application has closed.
    CLOSED = 4

class Socket(Exchange):
    '''What an application is called with for a WebSocket: receive and send.'''
    __slots__ = ("phase", "isAnnounced", "socket", "messages", "size", "isPaused", "code", "reason")

    def __init__(self, serving, application, id, scope, has_body):
        super().__init__(serving, application, id, scope, has_body)
        self.phase, self.socket = Phase.CONNECTING, 0
        # The application has been told of it, which comes first even if it has answered already.
        self.isAnnounced = False
        self.messages, self.size, self.isPaused = collections.deque(), 0, False
        # How the client has closed.
        self.code, self.reason = ABNORMAL, ""
        del scope["method"]
        scope["type"] = "websocket"
        scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
        scope["subprotocols"] = [
            name.strip() for key, value in scope["headers"] if key == b"sec-websocket-protocol"
            for name in value.decode("latin-1").split(",") if name.strip()]
        tls = scope["extensions"].get("tls")
        scope["extensions"] = {"websocket.http.response": {}, **({"tls": tls} if tls else {})}

    # Events.

    def hear(self, what, payload, code):
        '''A message, room, or the end, as reported by the server's threads. The code of a message is 1 if its
        client waits for the application from it on.'''
        if what == CLOSED:
            self.code, self.reason, self.phase = code, payload, Phase.CLOSED
            self.serving.sockets.pop(self.socket, None)
        elif what != ROOM and self.phase is Phase.OPEN:
            self.messages.append(payload)
            self.size += len(payload)
            if not self.isPaused and (
                    code or len(self.messages) >= MOST_MESSAGES or self.size >= MOST_BYTES):
                self.isPaused = True
                native.asgi_socket_pause(self.socket, 1)
        self.wake()

    async def receive(self):
        if not self.isAnnounced:
            self.isAnnounced = True
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
                return {"type": "websocket.disconnect", "code": self.code, "reason": self.reason}
            if self.socket:
                await self.news()
            else:
                await self.until(LEFT)

    # The application's messages.

    async def send(self, message):
        kind = message["type"]
        if isCopy:
            return None
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
            if found in (MISUSE, TOOBIG):
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
            if text is None:
                sort, payload = BINARY, as_bytes(data, kind)
            elif isinstance(text, str):
                sort, payload = TEXT, text.encode()
            else:
                raise TypeError(f"the text of 'websocket.send' is str, not {type(text).__name__}")
            while True:
                result = native.asgi_socket_send(self.socket, sort, payload)
                if result == OK:
                    return
                if result == AGAIN:
                    await self.news()
                if result != AGAIN or self.phase is not Phase.OPEN:
                    raise ClientDisconnected("the client is gone")
        elif kind == "websocket.close":
            self.close(message.get("code", NORMAL), message.get("reason") or "")
        else:
            raise RuntimeError(f"expected the ASGI message 'websocket.send' or 'websocket.close', "
                               f"but got {kind!r}")

    def close(self, code, reason):
        code = NORMAL if code is None else code
        if not isinstance(code, int) or not isinstance(reason, str):
            raise TypeError("'websocket.close' has a number as its code, and its reason is text")
        reason = reason.encode()
        self.code, self.phase = code, Phase.CLOSED
        # To the server 0 means no code at all, and other values do not fit in C: all of them become one that
        # is never sent (RFC 6455 §7.4.1), which the server refuses.
        sent = code if 0 < code <= 0xffff else NEVER_SENT
        if native.asgi_socket_close(self.socket, sent, reason) == MISUSE:
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
            self.close(FAILURE, "")

    def abandon(self):
        super().abandon()
        if self.phase is Phase.OPEN:
            self.close(FAILURE, "")

    def incomplete(self):
        if self.phase is Phase.DENYING or self.isGone:
            return super().incomplete()
        where = place(self.application.name, self.application.callable, None)
        self.log("error", f"{self.heading()}: the application returned without an answer to "
                          f"'websocket.connect': {where}")
        self.give_up()

    async def run(self):
        await super().run()
        if self.phase is Phase.OPEN:
            self.close(NORMAL, "")

    def heading(self):
        return f"WebSocket {printable(self.scope.get('path'))}"
