# One HTTP request of an ASGI application and its response (ASGI 3, "HTTP & WebSocket ASGI Message Format").
# serving.py runs it, in the same module; `native` has the functions of the plugin. All of it is of the thread
# of the event loop.
import enum, os

# Results of the server (nsgi.h).
OK, AGAIN, GONE, MISUSE, FAIL = 0, -1, -2, -3, -8
# What is waited for: nsgi_ready of nsgi.h.
BODY, SPACE, LEFT = 1, 2, 4
# What befalls an exchange, as the plugin numbers it.
READY, CANCELLED = 1, 2
# Bytes of a file that are given at a time.
PIECE = 256 * 1024
LEVELS = {"warning": 3, "error": 4, "info": 2}
# As Call.swift answers for applications of WSGI.
FAILED = "The application failed. Its error is in the log of the server.\n"

class ClientDisconnected(ConnectionAbortedError):
    '''send() after the client has left.'''

class Stage(enum.Enum):
    '''How far a response is.'''
    # Nothing was said.
    WAITING = 1
    # There is a status, and nothing of the body.
    STARTED = 2
    # Some of the body was given.
    SENDING = 3
    # All of it was said, or nothing can be said any more.
    OVER = 4

WAITING, STARTED, SENDING, OVER = Stage

class Exchange:
    '''What an application is called with, beside the scope: receive and send.'''
    __slots__ = ("serving", "application", "id", "scope", "stage", "isBody", "kept", "isGone", "isLate",
                 "status", "headers", "waiters", "wanted", "task", "__weakref__")

    def __init__(self, serving, application, id, scope, has_body):
        self.serving, self.application, self.id, self.scope = serving, application, id, scope
        self.stage, self.isGone, self.isLate = WAITING, False, False
        # There is more of the request's body to receive, and a piece of it that was looked at already.
        self.isBody, self.kept = True, None if has_body else b""
        self.waiters, self.wanted, self.task = None, 0, None

    async def run(self):
        try:
            await self.application.callable(self.scope, self.receive, self.send)
        except BaseException as error:
            self.failed(error)
        else:
            if self.stage is not OVER:
                self.incomplete()

    # Waiting.

    def heed(self, what):
        '''Something has befallen it, as the server's threads tell.'''
        if what == CANCELLED:
            self.isGone = True
            if native.asgi_is_late(self.id):
                self.isLate = True
                if self.task is not None:
                    self.task.cancel()
        self.wanted = 0
        self.wake()

    def wake(self):
        waiters, self.waiters = self.waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, what):
        '''Waits until something of what is wanted may be so; whoever waits looks again.'''
        self.wanted |= what
        if native.asgi_await(self.id, self.wanted) != OK:
            self.isGone = True
            return self.wake()
        await self.news()

    async def news(self):
        '''Waits for the next wake().'''
        waiter = self.serving.loop.create_future()
        if self.waiters is None:
            self.waiters = []
        self.waiters.append(waiter)
        await waiter

    # The request.

    async def receive(self):
        while self.stage is not OVER and not self.isGone and self.isBody:
            message = self.next_piece()
            if message is not None:
                return message
            if not self.isGone:
                await self.until(BODY)
        while self.stage is not OVER and not self.isGone:
            await self.until(LEFT)
        return {"type": "http.disconnect"}

    def next_piece(self):
        '''The next message of the body; None when nothing is there.'''
        piece, self.kept = self.kept, None
        if piece is None:
            piece = native.asgi_read(self.id)
        if type(piece) is int:
            # It has broken off: what the application has of it is not all.
            self.isGone = True
            return None
        if piece is None:
            return None
        if piece:
            following = native.asgi_read(self.id)
            if following is None or following:
                if type(following) is bytes:
                    self.kept = following
                elif type(following) is int:
                    self.isGone = True
                return {"type": "http.request", "body": piece, "more_body": True}
        self.isBody = False
        return {"type": "http.request", "body": piece, "more_body": False}

    # The response.

    async def send(self, message):
        kind = message["type"]
        stage = self.stage
        if stage is OVER or self.isGone:
            if self.isGone:
                raise ClientDisconnected("the client is gone")
            raise RuntimeError(f"unexpected ASGI message {kind!r}: the response is complete already")
        if stage is WAITING:
            if kind != "http.response.start":
                raise RuntimeError(f"expected the ASGI message 'http.response.start', but got {kind!r}")
            self.start(message)
        elif kind == "http.response.body":
            more = message.get("more_body", False)
            body = message.get("body", b"")
            if type(body) is not bytes:
                body = as_bytes(body)
            if stage is STARTED and not more:
                self.checked(self.with_head(native.asgi_respond, body))
                self.end()
            else:
                await self.send_piece(body, more)
        elif kind == "http.response.pathsend" and stage is STARTED:
            await self.send_path(message["path"])
        else:
            raise RuntimeError(f"expected the ASGI message 'http.response.body', but got {kind!r}")

    def start(self, message):
        status = message["status"]
        if not isinstance(status, int) or not 200 <= status <= 599:
            raise ValueError("the status of 'http.response.start' is a number from 200 to 599, "
                             f"not {status!r}")
        if message.get("trailers"):
            raise RuntimeError("the scope announces no 'http.response.trailers': send none")
        self.status, self.headers = int(status), [*message.get("headers", ())]
        self.stage = STARTED

    def with_head(self, function, *arguments):
        result = function(self.application, self.id, self.status, self.headers, *arguments)
        if result is None:
            self.headers = as_headers(self.headers)
            result = function(self.application, self.id, self.status, self.headers, *arguments)
        return result

    async def send_piece(self, body, more):
        if self.stage is STARTED:
            self.checked(self.with_head(native.asgi_start))
            self.stage = SENDING
        if body or more:
            while self.checked(native.asgi_write(self.id, body)) == AGAIN:
                await self.until_space()
        if not more:
            self.finish(OK)

    async def send_path(self, path):
        if not isinstance(path, (str, os.PathLike)) or not os.path.isabs(path):
            raise ValueError(f"the path of 'http.response.pathsend' is an absolute one, not {path!r}")
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            left, offset = os.fstat(file).st_size, 0
            self.checked(self.with_head(native.asgi_start))
            self.stage = SENDING
            while left > 0:
                count = min(left, PIECE)
                result = self.checked(native.asgi_sendfile(self.id, file, offset, count))
                if result == AGAIN:
                    await self.until_space()
                else:
                    offset, left = offset + count, left - count
            self.finish(OK)
        finally:
            os.close(file)

    async def until_space(self):
        await self.until(SPACE)
        if self.isGone:
            raise ClientDisconnected("the client is gone")
        if self.stage is OVER:
            raise RuntimeError("the response was completed by another task")

    def checked(self, result):
        '''A result of the server: good, or to be tried again; anything else is an exception.'''
        if result == OK or result == AGAIN:
            return result
        if result == MISUSE or result == -4:
            if self.stage is STARTED:
                self.stage = WAITING
                raise RuntimeError("the server refuses this response; its reason is in the log")
            raise RuntimeError("the server refuses this piece of a body: it goes beyond the Content-Length")
        self.isGone = True
        raise ClientDisconnected("the client is gone")

    # The end.

    def finish(self, result):
        native.asgi_finish(self.id, result)
        self.end()

    def end(self):
        self.stage = OVER
        self.serving.exchanges.pop(self.id, None)
        self.wake()

    def give_up(self, page):
        '''Answers for an application that has failed: with a page as long as nothing has left, else the
        response is cut.'''
        if self.stage is SENDING:
            return self.finish(FAIL)
        page = page.encode("utf-8", "backslashreplace")
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        if native.asgi_respond(self.application, self.id, 500, headers, page) == OK:
            self.end()
        else:
            self.finish(FAIL)

    def failed(self, error):
        if isinstance(error, asyncio.CancelledError) and (self.stage is OVER or self.isLate):
            return self.finish(GONE) if self.stage is not OVER else None
        if self.isGone and is_caused_by_client(error):
            return self.finish(GONE) if self.stage is not OVER else None
        trace, sentence = describe(error)
        after = " after its response" if self.stage is OVER else ""
        self.log("error", f"{self.heading()} failed{after}:\n{trace or sentence}")
        if self.stage is OVER:
            return
        if self.isGone:
            return self.finish(GONE)
        shown = (trace or sentence + "\n") if self.application.showsTracebacks else None
        self.give_up(shown or FAILED)

    def incomplete(self):
        if self.isGone:
            return self.finish(GONE)
        what = {WAITING: "without a response", STARTED: "before the body of its response",
                SENDING: "before the end of its response"}[self.stage]
        self.log("error", f"{self.heading()}: the application returned {what}: "
                          f"{place(self.application.name, self.application.callable, None)}")
        self.give_up(FAILED)

    def heading(self):
        return f"{self.scope['method']} {self.scope['path']}"

    def log(self, level, text):
        id = 0 if self.stage is OVER else self.id
        native.asgi_log(id, LEVELS[level], text.encode("utf-8", "backslashreplace"))

def as_bytes(body):
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise TypeError(f"the body of 'http.response.body' is bytes, not {type(body).__name__}")

def as_headers(headers):
    found = []
    for one in headers:
        pair = tuple(one) if not isinstance(one, (str, bytes)) else ()
        if len(pair) != 2 or not all(isinstance(part, (bytes, bytearray, memoryview)) for part in pair):
            raise TypeError("the headers of 'http.response.start' are pairs of bytes, as "
                            f"(b'content-type', b'text/plain'), not {one!r}")
        found.append((bytes(pair[0]), bytes(pair[1])))
    return found

def is_caused_by_client(error):
    '''Whether an exception comes of a client that has left: an application may have made its own of it.'''
    seen = 0
    while error is not None and seen < 32:
        if isinstance(error, (ClientDisconnected, asyncio.CancelledError)):
            return True
        if type(error).__name__ in ("ClientDisconnect", "WebSocketDisconnect"):
            return True
        inner = getattr(error, "exceptions", None)
        if isinstance(inner, tuple) and any(is_caused_by_client(one) for one in inner):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False
