# The thread of the event loop, on which all ASGI applications of a worker run, and their lifespans. What the
# server's threads have for it stands in the plugin's inbox, whose bell is a descriptor that the loop watches.
# Begun by the first such application, in the process that serves: never in a zygote.
import asyncio, collections, concurrent.futures, sys, threading, time

# Seconds after which an application that holds the loop up is named.
HELD_UP = 1
EAGER = sys.version_info >= (3, 12)

class Serving:
    '''The event loop and its thread.'''
    def __init__(self, settings):
        self.loop = make_loop(settings["loop"])
        # Exchanges under way by their ids, and all tasks: those whose response is complete go on in one.
        self.exchanges, self.tasks, self.most = {}, set(), int(settings["tasks"])
        # WebSockets by their ids, from the accept to the end.
        self.sockets = {}
        self.isMore = False
        # Counts looks into the inbox; whoever watches the loop sleeps until there is one.
        self.turns, self.isWatched, self.activity = 0, False, threading.Event()
        self.applications = 0
        self.bell = native.asgi_bell()
        self.thread = threading.Thread(target=self.live, name="nsgi-asgi", daemon=True)
        self.thread.start()
        threading.Thread(target=self.watch, name="nsgi-asgi-watch", daemon=True).start()

    def live(self):
        asyncio.set_event_loop(self.loop)
        self.loop.add_reader(self.bell, self.drain)
        self.loop.run_forever()

    def drain(self):
        '''Takes what the server's threads have said.'''
        self.turns += 1
        if not self.isWatched:
            self.isWatched = True
            self.activity.set()
        requests, signals, self.isMore, news = native.asgi_take(self.most - len(self.tasks))
        for application, id, scope, has_body, asks in requests:
            if application.state is not None:
                scope["state"] = application.state.copy()
            self.begin((Socket if asks else Exchange)(self, application, id, scope, has_body))
        for id, what in signals:
            exchange = self.exchanges.get(id)
            if exchange is not None:
                exchange.heed(what)
        for id, what, payload, code in news:
            socket = self.sockets.get(id)
            if socket is not None:
                socket.hear(what, payload, code)

    def begin(self, exchange):
        self.exchanges[exchange.id] = exchange
        if EAGER:
            task = asyncio.Task(exchange.run(), loop=self.loop, eager_start=True)
            if task.done():
                return
        else:
            task = self.loop.create_task(exchange.run())
        exchange.task = task
        self.tasks.add(task)
        task.application = exchange.application
        task.add_done_callback(self.ended)

    def ended(self, task):
        self.tasks.discard(task)
        if self.isMore:
            self.drain()

    def watch(self):
        '''The life of the thread that names what holds the loop up.'''
        told = -1
        while True:
            self.activity.wait()
            turns = self.turns
            time.sleep(HELD_UP)
            unheard = native.asgi_unheard()
            if unheard == 0 and self.turns == turns:
                self.activity.clear()
                self.isWatched = False
                if self.turns != turns:
                    self.activity.set()
            elif unheard >= HELD_UP * 1000 and told != self.turns:
                told = self.turns
                say("warning", "the event loop has been held up for more than a second by a call that does "
                    "not await; other requests wait for it: run it in a thread (asyncio.to_thread). It is "
                    "in\n"
                    + stack(self.thread.ident).partition('  File "<server>')[0])

    def call(self, coroutine, seconds):
        '''Runs a coroutine on the loop, from another thread, for so long; then a future's TimeoutError.'''
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result(seconds)
        except BaseException:
            future.cancel()
            raise

    async def settle(self, application, seconds):
        '''Waits for an application's tasks, and has those end that take too long.'''
        own = {task for task in self.tasks if task.application is application}
        if not own:
            return
        _, late = await asyncio.wait(own, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            say("warning", f"{application.name}: {len(late)} of its requests or background tasks had not "
                "ended in time (--worker-reload-mercy), and were cancelled")
            await asyncio.wait(late, timeout=1)

    async def close(self):
        await self.loop.shutdown_asyncgens()

class Application:
    '''An ASGI application of the worker.'''
    def __init__(self, callable, name, settings):
        self.callable, self.name = callable, name
        self.showsTracebacks = bool(settings["debug"])
        self.mercy, self.limit = float(settings["mercy"]), startup_limit(float(settings["start"]))
        # What the lifespan gives to each request; None where there is no lifespan.
        self.state = None
        self.warned = set()
        self.lifespan = Lifespan(self)

    def start(self):
        serving.applications += 1
        try:
            serving.call(self.lifespan.start(), self.limit + 2)
        except concurrent.futures.TimeoutError:
            where = stack(serving.thread.ident).partition('  File "<server>')[0].rstrip()
            say("error", f"{self.name} holds the event loop up by a call that does not await:\n{where}")
            raise CannotLoad("the startup of its lifespan has not come to an end within "
                             f"{self.limit:g} s (--swap-timeout): it holds the event loop up; its stack is "
                             "in the log") from None

    def stop(self):
        '''Nothing new comes: the end of what goes on, and of the lifespan. Another thread than the loop's.'''
        begun = time.monotonic()
        left = lambda: max(1.0, self.mercy - (time.monotonic() - begun))
        try:
            serving.call(serving.settle(self, self.mercy), self.mercy + 2)
            serving.call(self.lifespan.stop(left()), left() + 3)
            serving.applications -= 1
            if serving.applications == 0:
                serving.call(serving.close(), 1)
                serving.loop.call_soon_threadsafe(serving.loop.stop)
                serving.thread.join(1)
        except concurrent.futures.TimeoutError:
            say("error", f"{self.name}: the event loop is held up, and its lifespan was not shut down")

    def warn_of_connection(self, name):
        if not self.warned:
            self.warned.add(name)
            say("warning", f"the application sends the header {name}, which belongs to the connection and is "
                "the server's to say (hop-by-hop): it is left out, now and from here on")

class Lifespan:
    '''The lifespan of an application (ASGI 3, "Lifespan Protocol").'''
    def __init__(self, application):
        self.application, self.state = application, {}
        self.events, self.task = collections.deque(), None
        # Each is set with what the application has said: None for good, or why not.
        self.startup = self.shutdown = self.event = None
        self.isSupported = False

    async def start(self):
        loop = serving.loop
        self.startup, self.shutdown = loop.create_future(), loop.create_future()
        self.event = asyncio.Event()
        self.push("lifespan.startup")
        self.task = loop.create_task(self.run())
        await asyncio.wait([self.startup, self.task], timeout=self.application.limit,
                           return_when=asyncio.FIRST_COMPLETED)
        if not self.startup.done() and self.task.done():
            return self.unsupported(self.task.result())
        if not self.startup.done():
            where = whereabouts(self.task)
            self.task.cancel()
            await asyncio.wait([self.task], timeout=1)
            raise CannotLoad("the startup of its lifespan has not come to an end within "
                             f"{self.application.limit:g} s (--swap-timeout){where}")
        reason = self.startup.result()
        if reason is not None:
            await asyncio.wait([self.task], timeout=1)
            last = reason.strip().rpartition("\n")[2]
            if last != reason.strip():
                say("error", reason)
            raise CannotLoad(f"the startup of its lifespan failed: {last or 'it gave no reason'}")
        self.isSupported = True
        self.application.state = self.state

    async def run(self):
        '''None, or the exception that the application has raised.'''
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self.application.callable(scope, self.receive, self.send)
        except BaseException as error:
            return error
        finally:
            if not self.shutdown.done():
                self.shutdown.set_result(None)

    def unsupported(self, error):
        if error is None:
            return say("info", f"{self.application.name} takes no part in the lifespan protocol")
        say("info", f"{self.application.name} takes no part in the lifespan protocol: {describe(error)[1]}")

    def push(self, kind):
        self.events.append({"type": kind})
        self.event.set()

    async def receive(self):
        while not self.events:
            self.event.clear()
            await self.event.wait()
        return self.events.popleft()

    async def send(self, message):
        kind = message["type"]
        phase, _, result = kind.rpartition(".")
        answers = {"lifespan.startup": self.startup, "lifespan.shutdown": self.shutdown}
        if phase not in answers or result not in ("complete", "failed"):
            raise RuntimeError(f"unexpected ASGI message {kind!r} in a lifespan")
        if answers[phase].done():
            raise RuntimeError(f"unexpected ASGI message {kind!r}: the application has said so before")
        if phase == "lifespan.shutdown" and not self.startup.done():
            raise RuntimeError(f"unexpected ASGI message {kind!r} before the startup is complete")
        answers[phase].set_result(None if result == "complete" else str(message.get("message", "")))

    async def stop(self, seconds):
        if not self.isSupported or self.task.done():
            return
        self.push("lifespan.shutdown")
        await asyncio.wait([self.shutdown], timeout=seconds)
        if not self.shutdown.done():
            say("error", f"{self.application.name}: the shutdown of its lifespan has not come to an end "
                f"within {seconds:.0f} s (--worker-reload-mercy){whereabouts(self.task)}")
            self.task.cancel()
        elif self.shutdown.result() is not None:
            say("error", f"{self.application.name}: the shutdown of its lifespan failed: "
                         f"{self.shutdown.result()}")
        # What it does behind its last word is short.
        done, _ = await asyncio.wait([self.task], timeout=1)
        error = self.task.result() if done else None
        if error is not None and not isinstance(error, asyncio.CancelledError):
            say("error", f"{self.application.name}: its lifespan ended with\n{describe(error)[0]}")

def startup_limit(seconds):
    '''The master's own patience is --swap-timeout: an application that hangs is named before that is over.'''
    return seconds * 0.8

def make_loop(kind):
    if kind != "asyncio":
        try:
            import uvloop
            return uvloop.new_event_loop()
        except ImportError:
            if kind == "uvloop":
                raise CannotLoad("there is no uvloop: install it in the virtual environment (pip install "
                                 "uvloop), or leave --asgi-loop out") from None
    return asyncio.new_event_loop()

def whereabouts(task):
    '''Words for where a task of an application awaits something.'''
    own = [one for one in awaiting(task.get_coro()) if "/asyncio/" not in one.f_code.co_filename]
    return f', in File "{own[-1].f_code.co_filename}", line {own[-1].f_lineno}' if own else ""

def say(level, text):
    native.asgi_log(0, LEVELS[level], text.encode("utf-8", "backslashreplace"))

serving = None

def serve(callable, name, settings):
    '''Starts an application; CannotLoad when its lifespan fails.'''
    global serving
    if serving is None:
        serving = Serving(settings)
    application = Application(callable, name, settings)
    application.start()
    return application
