# The event loop on which all ASGI applications of a worker run, and their lifespans. The server leads it, on
# the thread that has loaded the application (led.py), or it has a thread of its own. The messages of the
# server's threads are in the plugin's inbox, whose bell is a descriptor that the loop watches. Started by the
# first such application, in the serving process: never in a zygote.
import asyncio, collections, concurrent.futures, contextvars, sys, threading, time

# Seconds after which an application that holds up the loop is reported.
HELD_UP = 1
# Requests that begin in one turn of the loop: its timers and other work must not wait for all.
BATCH = 64
EAGER = sys.version_info >= (3, 12)
# Flags of the code of coroutines and of asynchronous generators.
ROUTINE = 0x80 | 0x200

# The request of a task, and of the tasks and threads that it starts: it tags their output in the log.
request = contextvars.ContextVar("nsgi.request", default=0)

def log_of_request(log):
    '''The target of the files of bootstrap.py, with the request of the writer.'''
    return lambda level, data: log(level, data, request.get())

class Serving:
    '''The event loop on a thread of its own.'''
    isLed = False

    def __init__(self, loop, settings):
        native.log = log_of_request(native.log)
        self.loop = loop
        # Running exchanges by their ids, and all tasks: a task may go on after its response is complete.
        self.exchanges, self.tasks, self.most = {}, set(), int(settings["tasks"])
        # WebSockets by their ids, from the accept to the end.
        self.sockets = {}
        # Others wait in the inbox, and another look is scheduled.
        self.isMore = self.isDue = False
        # The server ends the loop; otherwise an application ends it by mistake.
        self.isStopping = False
        # Counts looks into the inbox; the watching thread sleeps until there is one.
        self.turns, self.isWatched, self.activity = 0, False, threading.Event()
        self.applications = 0
        self.bell = native.asgi_bell()
        # The server has given the loop a turn.
        self.isInside = False
        # The request whose first step it takes, where the loop is led.
        self.stepping = 0
        watch_forks(self.loop)
        self.settle()
        threading.Thread(target=self.watch, name="nsgi-asgi-watch", daemon=True).start()

    def settle(self):
        '''Gives the loop its thread.'''
        self.thread = threading.Thread(target=self.live, name="nsgi-asgi", daemon=True)
        self.thread.start()

    def live(self):
        asyncio.set_event_loop(self.loop)
        self.loop.add_reader(self.bell, self.drain)
        while not self.isStopping:
            if self.survives(self.loop.run_forever) and not self.isStopping:
                self.refuse_stop()

    def survives(self, work):
        '''Runs the loop, or a turn of it; False if it was broken off. A copy ends here.'''
        error = None
        try:
            work()
        except BaseException as raised:
            error = raised
        if isCopy:
            leave(error)
        if error is not None:
            self.goes_on_after(error)
        return error is None

    def goes_on_after(self, error):
        '''asyncio passes SystemExit and KeyboardInterrupt of any task on to the caller of the loop.'''
        say("error", "a task or callback of an application would have ended the event loop, which goes on:\n"
                     f"{describe(error)[0]}")

    def is_inside(self):
        '''The thread that leads the loop is in code of an application.'''
        return self.isInside or self.stepping != 0

    def refuse_stop(self):
        say("warning", "an application has stopped the event loop, which is the server's: it goes on")

    def stop(self):
        self.isStopping = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(1)

    def count_turn(self):
        '''The watching thread sees that the loop goes on.'''
        self.turns += 1
        if not self.isWatched:
            self.isWatched = True
            self.activity.set()

    def drain(self):
        '''Takes the messages of the server's threads.'''
        self.isDue = False
        self.count_turn()
        requests, signals, self.isMore, news = native.asgi_take(
            min(BATCH, self.most - len(self.tasks)))
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
        self.look_again()

    def look_again(self):
        if self.isMore and not self.isDue and len(self.tasks) < self.most:
            self.isDue = True
            self.loop.call_soon(self.drain)

    def begin(self, exchange):
        self.exchanges[exchange.id] = exchange
        task = self.start_task(exchange.run())
        if task.done():
            return self.settled(task, exchange)
        exchange.task = task
        self.tasks.add(task)
        task.application = exchange.application
        task.add_done_callback(lambda task: self.ended(task, exchange))

    def start_task(self, routine):
        '''A task of our own, whatever factory an application has set.'''
        if EAGER:
            return asyncio.Task(routine, loop=self.loop, eager_start=True)
        return asyncio.Task(routine, loop=self.loop)

    def ended(self, task, exchange):
        self.tasks.discard(task)
        self.settled(task, exchange)
        self.look_again()

    def settled(self, task, exchange):
        '''The task of an exchange is over: so is the exchange, whatever went wrong on the way.'''
        error = None if task.cancelled() else task.exception()
        if error is None and exchange.stage is OVER:
            return
        if error is not None:
            say("error", f"a request could not be ended in good order: {type(error).__name__}")
        exchange.abandon()

    def watch(self):
        '''Runs the thread that reports what holds up the loop.'''
        told = -1
        while True:
            self.activity.wait()
            turns = self.turns
            time.sleep(HELD_UP)
            unheard = native.asgi_unheard()
            if unheard == 0 and self.turns == turns and not self.is_inside():
                self.activity.clear()
                self.isWatched = False
                if self.turns != turns:
                    self.activity.set()
            elif told != self.turns and (
                    unheard >= HELD_UP * 1000 or self.is_inside() and self.turns == turns):
                told = self.turns
                where = stack(self.thread.ident).partition('  File "<server>')[0]
                say("warning", "the event loop has been held up for more than a second by a call that does "
                    f"not await{self.blocker()}; other requests wait for it: run it in a thread "
                    f"(asyncio.to_thread)\n{where}")

    def blocker(self):
        '''Names the coroutine that the loop's thread is in, and its request, unless another task is that of
        the request. Runs on the watching thread.'''
        frame, found = sys._current_frames().get(self.thread.ident), []
        while frame is not None:
            code, name = frame.f_code, frame.f_globals.get("__name__")
            if name == "_nsgi_asgi":
                exchange = frame.f_locals.get("self") if code.co_name == "run" else None
                if isinstance(exchange, Exchange):
                    found.insert(0, exchange.heading())
                    break
            elif not found and code.co_flags & ROUTINE:
                found.append(f'in {code.co_name}, File "{code.co_filename}", line {frame.f_lineno}')
            frame = frame.f_back
        return f" ({', '.join(found)})" if found else ""

    def call(self, coroutine, seconds, words, status=0):
        '''Runs a coroutine on the loop, from another thread, for at most this long; then a future's
        TimeoutError. (A loop that is led ends the process then, with these words in the log.)'''
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result(seconds)
        except BaseException:
            future.cancel()
            raise

    async def end_tasks(self, application, seconds):
        '''Waits for an application's tasks, and ends those that take too long.'''
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
    '''An ASGI application in the worker.'''
    def __init__(self, callable, name, settings):
        self.callable, self.name = callable, name
        self.showsTracebacks = bool(settings["debug"])
        self.isDevelopment = bool(settings["development"])
        self.mercy, self.limit = float(settings["mercy"]), startup_limit(float(settings["start"]))
        # What the lifespan gives to each request; None if there is no lifespan.
        self.state = None
        self.warned = set()
        self.lifespan = Lifespan(self)

    def start(self):
        serving.applications += 1
        try:
            serving.call(self.lifespan.start(), self.limit + 2, self.held_up, 22)
        except concurrent.futures.TimeoutError:
            raise CannotLoad(self.held_up()) from None

    def held_up(self):
        '''Logs where the startup holds the loop up; returns the sentence about it.'''
        where = stack(serving.thread.ident).partition('  File "<server>')[0].rstrip()
        say("error", f"{self.name} holds the event loop up by a call that does not await:\n{where}")
        return ("the startup of its lifespan has not come to an end within "
                f"{self.limit:g} s (--swap-timeout): it holds the event loop up; its stack is in the log")

    def stop(self):
        '''No more requests come: ends running tasks, and the lifespan. Not called on the loop's thread.'''
        begun = time.monotonic()
        left = lambda: max(1.0, self.mercy - (time.monotonic() - begun))
        try:
            serving.call(serving.end_tasks(self, self.mercy), self.mercy + 2, self.not_shut_down)
            serving.call(self.lifespan.stop(left()), left() + 3, self.not_shut_down)
            serving.applications -= 1
            if serving.applications == 0:
                serving.call(serving.close(), 1, self.not_shut_down)
                serving.stop()
        except concurrent.futures.TimeoutError:
            say("error", self.not_shut_down())

    def not_shut_down(self):
        return f"{self.name}: the event loop is held up, and its lifespan was not shut down"

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
        # Each gets the application's answer: None for success, or the reason for the failure.
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
        '''Returns None, or the exception that the application has raised.'''
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
        if not self.isSupported:
            return
        # Else it has ended by itself, because there is nothing to shut down, or with an exception.
        if not self.task.done():
            await self.shut_down(seconds)
        # What it does after its last message is short.
        done, _ = await asyncio.wait([self.task], timeout=1)
        error = self.task.result() if done else None
        if error is not None and not isinstance(error, asyncio.CancelledError):
            say("error", f"{self.application.name}: its lifespan ended with\n{describe(error)[0]}")

    async def shut_down(self, seconds):
        self.push("lifespan.shutdown")
        await asyncio.wait([self.shutdown], timeout=seconds)
        if not self.shutdown.done():
            say("error", f"{self.application.name}: the shutdown of its lifespan has not come to an end "
                f"within {seconds:.0f} s (--worker-reload-mercy){whereabouts(self.task)}")
            self.task.cancel()
        elif self.shutdown.result() is not None:
            say("error", f"{self.application.name}: the shutdown of its lifespan failed: "
                         f"{self.shutdown.result()}")

def startup_limit(seconds):
    '''The master's own patience is --swap-timeout: a hanging application is reported before that is up.'''
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
    '''Describes where a task of an application awaits something.'''
    own = [one for one in awaiting(task.get_coro()) if "/asyncio/" not in one.f_code.co_filename]
    return f', in File "{own[-1].f_code.co_filename}", line {own[-1].f_lineno}' if own else ""

def say(level, text):
    native.asgi_log(0, LEVELS[level], text.encode("utf-8", "backslashreplace"))

serving = None

def serve(callable, name, settings):
    '''Starts an application; raises CannotLoad if its lifespan fails.'''
    global serving
    if serving is None:
        kind = settings["loop"]
        leads = kind != "uvloop" and native.asgi_may_lead()
        loop = asyncio.new_event_loop() if leads else make_loop(kind)
        serving = (Led if leads and Led.takes(loop) else Serving)(loop, settings)
    application = Application(callable, name, settings)
    application.start()
    return application
