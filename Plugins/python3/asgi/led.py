# The event loop that the server leads, part of the module of serving.py: asyncio's, on the thread that has
# loaded the application. A request is begun by the server's call, and takes its first step there and then;
# what suspends goes on in turns, which the server gives the loop when its descriptor is readable or one of
# its timers is due. The thread is inside run_forever() as far as anybody can see.
import asyncio, sys, threading

# Cancelled timers after which the loop gets a turn, in which it removes them.
STALE = 100

class Led(Serving):
    '''The event loop on the thread that the server calls.'''
    isLed = True
    # What is used of asyncio's own loop.
    PARTS = ("_ready", "_scheduled", "_selector", "_run_once", "_stopping", "_thread_id",
             "_timer_cancelled_count", "_asyncgen_firstiter_hook", "_asyncgen_finalizer_hook")

    @classmethod
    def takes(cls, loop):
        return all(hasattr(loop, part) for part in cls.PARTS) and hasattr(loop._selector, "fileno")

    def settle(self):
        self.thread = threading.current_thread()
        asyncio.set_event_loop(self.loop)
        self.loop.add_reader(self.bell, self.drain)
        if not native.asgi_lead(self.loop._selector.fileno(), self.step, self.turn):
            raise CannotLoad("the server does not lead the event loop: use --asgi-loop uvloop")
        self.enter()

    # The state of a loop that runs.

    def enter(self):
        loop = self.loop
        self.hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(loop._asyncgen_firstiter_hook, loop._asyncgen_finalizer_hook)
        loop._thread_id = threading.get_ident()
        # _run_once() does not wait then.
        loop._stopping = True
        loop.stop = self.refuse_stop
        asyncio._set_running_loop(loop)

    def leave(self):
        loop = self.loop
        asyncio._set_running_loop(None)
        del loop.stop
        loop._stopping, loop._thread_id = False, None
        sys.set_asyncgen_hooks(*self.hooks)

    # What the server calls: it wants to know when the loop needs its next turn, in nanoseconds of the
    # monotonic clock; 1: at once; 0: only when its descriptor is readable.

    def step(self, application, id, scope, has_body):
        '''Begins a request; -1: there is no room for it.'''
        if len(self.tasks) >= self.most:
            return -1
        if application.state is not None:
            scope["state"] = application.state.copy()
        self.turns += 1
        if not self.isWatched:
            self.count_turn()
        self.stepping = id
        try:
            self.begin(Exchange(self, application, id, scope, has_body))
        except BaseException as error:
            self.goes_on_after(error)
        self.stepping = 0
        return self.due()

    def turn(self, is_rung):
        '''Does what is there to do.'''
        self.count_turn()
        self.isInside = True
        if is_rung:
            self.survives(self.drain)
        self.survives(self.loop._run_once)
        self.isInside = False
        return self.due()

    def due(self):
        loop = self.loop
        if loop._ready:
            return 1
        timers = loop._scheduled
        if not timers:
            return 0
        cancelled = loop._timer_cancelled_count
        if cancelled > STALE and 2 * cancelled > len(timers):
            return 1
        return int(timers[0]._when * 1e9)

    def start_task(self, routine):
        # A name of its own costs an old Python as much as starting the task.
        if EAGER:
            return asyncio.Task(routine, loop=self.loop, name="request", eager_start=True)
        # The first step of a task is the last thing that was scheduled.
        task = asyncio.Task(routine, loop=self.loop, name="request")
        self.loop._ready.pop()._run()
        return task

    # Beside requests.

    def call(self, coroutine, seconds, words, status=0):
        is_over = threading.Event()
        watch = threading.Thread(target=self.end_late, args=(is_over, seconds, words, status),
                                 daemon=True)
        watch.start()
        self.leave()
        try:
            return self.loop.run_until_complete(coroutine)
        finally:
            is_over.set()
            self.enter()

    def end_late(self, is_over, seconds, words, status):
        '''Ends the process when the thread does not come back from the first call or the last.'''
        if not is_over.wait(seconds):
            say("error", words())
            native.asgi_give_up(status)

    def stop(self):
        self.isStopping = True
        self.leave()
