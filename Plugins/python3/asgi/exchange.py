# One HTTP request of an ASGI application and its response (ASGI 3, "HTTP & WebSocket ASGI Message Format").
# serving.py runs it, in the same module; `native` has the functions of the plugin. All of it runs on the
# thread of the event loop.
import enum, os, stat

# Results of the server (nsgi.h).
OK, AGAIN, GONE, MISUSE, TOOBIG, IO, FAIL = 0, -1, -2, -3, -4, -6, -8
# What is waited for: nsgi_ready of nsgi.h.
BODY, SPACE, LEFT = 1, 2, 4
# Events of an exchange, with the plugin's numbers.
READY, CANCELLED = 1, 2
# Bytes of a file that are passed on at a time.
PIECE = 256 * 1024
LEVELS = {"warning": 3, "error": 4, "info": 2}
# The same answer as Call.swift gives for WSGI applications.
FAILED = "The application failed. Its error is in the log of the server.\n"

class ClientDisconnected(ConnectionAbortedError):
    '''send() after the client has left.'''

class Stage(enum.Enum):
    '''How far a response has come.'''
    # Nothing was sent.
    WAITING = 1
    # There is a status, but no part of the body.
    STARTED = 2
    # Part of the body was given.
    SENDING = 3
    # All of the body was given, and trailers follow.
    TRAILING = 4
    # All of it was given, or nothing more can be sent.
    OVER = 5

WAITING, STARTED, SENDING, TRAILING, OVER = Stage

class Exchange:
    '''What an application is called with, besides the scope: receive and send.'''
    __slots__ = ("serving", "application", "id", "scope", "stage", "isBody", "kept", "isGone", "isLate",
                 "status", "headers", "trailers", "waiters", "wanted", "task", "__weakref__")

    def __init__(self, serving, application, id, scope, has_body):
        self.serving, self.application, self.id, self.scope = serving, application, id, scope
        self.stage, self.isGone, self.isLate = WAITING, False, False
        # There is more of the request's body to receive, and a piece of it that was already looked at.
        self.isBody, self.kept = True, None if has_body else b""
        self.waiters, self.wanted, self.task = None, 0, None
        # Fields behind the body so far; None unless the application has announced some.
        self.trailers = None

    async def run(self):
        request.set(self.id)
        try:
            await self.application.callable(self.scope, self.receive, self.send)
        except BaseException as error:
            if isCopy:
                leave(error)
            self.failed(error)
        else:
            if isCopy:
                leave(None)
            if self.stage is not OVER:
                self.incomplete()

    # Waiting.

    def heed(self, what):
        '''Handles an event that the server's threads report.'''
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
        '''Waits until one of the wanted conditions may hold; the caller checks again.'''
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
        try:
            await waiter
        except BaseException:
            # Given up, as by a time limit: a request may do so any number of times.
            if self.waiters is not None and waiter in self.waiters:
                self.waiters.remove(waiter)
            raise

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
        '''The next message of the body; None if nothing is there.'''
        piece, self.kept = self.kept, None
        if piece is None:
            piece = native.asgi_read(self.id)
        if type(piece) is int:
            # It has broken off: what the application has received is not complete.
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
        # The two messages of most responses come first: they are a good part of what a request costs.
        if kind == "http.response.body":
            if stage is STARTED and self.trailers is None and not self.isGone and not isCopy:
                body = message.get("body", b"")
                if type(body) is bytes and not message.get("more_body"):
                    if native.asgi_respond(self.application, self.id, self.status, self.headers, body) == OK:
                        return self.end()
                    return self.respond(body)
        elif kind == "http.response.start":
            if stage is WAITING and not self.isGone and not isCopy:
                return self.start(message)
        if isCopy:
            # It answers nothing: frameworks make a response from anything that it returns.
            return None
        if stage is OVER or self.isGone:
            if self.isGone:
                raise ClientDisconnected("the client is gone")
            raise RuntimeError(f"unexpected ASGI message {kind!r}: the response is complete already")
        if stage is WAITING:
            if kind == "http.response.debug" and self.application.isDevelopment:
                return self.tell_template(message)
            if kind == "http.response.early_hint" and self.offers(kind):
                return await self.send_hint(message)
            if kind != "http.response.start":
                raise RuntimeError(f"expected the ASGI message 'http.response.start', but got {kind!r}")
            self.start(message)
        elif stage is TRAILING:
            if kind != "http.response.trailers":
                raise RuntimeError(f"expected the ASGI message 'http.response.trailers', but got {kind!r}")
            self.send_trailers(message)
        elif kind == "http.response.body":
            more = message.get("more_body", False)
            body = message.get("body", b"")
            if type(body) is not bytes:
                body = as_bytes(body)
            if stage is STARTED and not more and self.trailers is None:
                self.respond(body)
            else:
                await self.send_piece(body, more)
        elif kind == "http.response.pathsend" and stage is STARTED:
            await self.send_path(message["path"])
        else:
            raise RuntimeError(f"expected the ASGI message 'http.response.body', but got {kind!r}")

    def respond(self, body):
        self.checked(self.with_head(native.asgi_respond, body))
        self.end()

    def start(self, message):
        status = message.get("status")
        if not isinstance(status, int) or not 200 <= status <= 599:
            raise ValueError("the status of 'http.response.start' is a number from 200 to 599, "
                             f"not {status!r}")
        if message.get("trailers"):
            if not self.offers("http.response.trailers"):
                raise RuntimeError("the scope announces no 'http.response.trailers': send none")
            self.trailers = []
        self.status, self.headers = int(status), [*message.get("headers", ())]
        self.stage = STARTED

    def offers(self, extension):
        return extension in self.scope.get("extensions", ())

    async def send_hint(self, message):
        '''http.response.early_hint: 103 with Link fields (RFC 8297).'''
        links = [(b"link", as_bytes(link, "http.response.early_hint")) for link in message.get("links", ())]
        while self.checked(native.asgi_interim(self.application, self.id, 103, links)) == AGAIN:
            await self.until_space()

    def send_trailers(self, message):
        self.trailers += as_headers(message.get("headers", ()), "http.response.trailers")
        if not message.get("more_trailers", False):
            self.checked(native.asgi_trailers(self.application, self.id, self.trailers))
            self.end()

    def tell_template(self, message):
        '''http.response.debug, of which the log gets the name of the template.'''
        template = (message.get("info") or {}).get("template")
        self.log("info", f"{self.heading()} is answered by the template "
                         f"{getattr(template, 'name', template)}")

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
            self.complete()

    async def send_path(self, path):
        if not isinstance(path, (str, os.PathLike)) or not os.path.isabs(path):
            raise ValueError(f"the path of 'http.response.pathsend' is an absolute one, not {path!r}")
        # Opening something that is not a file may block, and it has no end.
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise ValueError(f"the path of 'http.response.pathsend' is a regular file's, not {path!r}")
            self.checked(self.with_head(native.asgi_start))
            self.stage = SENDING
            if status.st_blocks == 0:
                return await self.send_unsized(file)
            left, offset = status.st_size, 0
            while left > 0:
                count = min(left, PIECE)
                result = self.checked(native.asgi_sendfile(self.id, file, offset, count))
                if result == AGAIN:
                    await self.until_space()
                else:
                    offset, left = offset + count, left - count
            self.complete()
        finally:
            os.close(file)

    async def send_unsized(self, file):
        """Sends a file without blocks on a disk, such as those of /proc and /sys, whose sizes are made up."""
        while piece := os.read(file, PIECE):
            await self.send_piece(piece, True)
        await self.send_piece(b"", False)

    async def until_space(self):
        await self.until(SPACE)
        if self.isGone:
            raise ClientDisconnected("the client is gone")
        if self.stage is OVER:
            raise RuntimeError("the response was completed by another task")

    def checked(self, result):
        '''A result of the server: success, or to be tried again; anything else is an exception.'''
        if result == OK or result == AGAIN:
            return result
        if result == IO:
            raise OSError("the file has become shorter than it was, or cannot be read")
        if result == MISUSE or result == TOOBIG:
            if self.stage is STARTED:
                self.stage, self.trailers = WAITING, None
                raise RuntimeError("the server refuses this response; its reason is in the log")
            if self.stage is WAITING or self.stage is TRAILING:
                raise RuntimeError("the server refuses these headers; its reason is in the log")
            raise RuntimeError("the server refuses this piece of a body: it goes beyond the Content-Length")
        self.isGone = True
        raise ClientDisconnected("the client is gone")

    # The end.

    def complete(self):
        '''All of the body was given.'''
        if self.trailers is None:
            self.finish(OK)
        else:
            self.stage = TRAILING

    def finish(self, result):
        native.asgi_finish(self.id, result)
        self.end()

    def end(self):
        self.stage = OVER
        self.serving.exchanges.pop(self.id, None)
        if self.waiters is not None:
            self.wake()

    def abandon(self):
        '''Its task has ended, whether or not anything was sent.'''
        if self.stage is not OVER:
            self.finish(FAIL)

    def give_up(self, trace="", sentence=""):
        '''Answers for an application that has failed: with a page as long as nothing has been sent; otherwise
        cuts the response.'''
        if self.stage is SENDING or self.stage is TRAILING:
            return self.finish(FAIL)
        encoded = lambda text: text.encode("utf-8", "backslashreplace")
        if self.application.isDevelopment:
            heading = f"{self.heading()} failed:"
            result = native.asgi_page(self.id, encoded(heading), encoded(trace), encoded(sentence))
        else:
            page = FAILED
            if sentence and self.application.showsTracebacks:
                page = trace or sentence + "\n"
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            result = native.asgi_respond(self.application, self.id, 500, headers, encoded(page))
        if result == OK:
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
        self.give_up(trace, sentence)

    def incomplete(self):
        if self.isGone:
            return self.finish(GONE)
        what = {WAITING: "without a response", STARTED: "before the body of its response",
                SENDING: "before the end of its response",
                TRAILING: "before the trailers of its response"}[self.stage]
        self.log("error", f"{self.heading()}: the application returned {what}: "
                          f"{place(self.application.name, self.application.callable, None)}")
        self.give_up()

    def heading(self):
        return f"{self.scope.get('method')} {printable(self.scope.get('path'))}"

    def log(self, level, text):
        id = 0 if self.stage is OVER else self.id
        native.asgi_log(id, LEVELS[level], text.encode("utf-8", "backslashreplace"))
