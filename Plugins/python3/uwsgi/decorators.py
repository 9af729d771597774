# The module `uwsgidecorators` as applications see it inside the server.
import functools
import threading

import _uwsgi_shared
import uwsgi

__all__ = ["get_free_signal", "postfork", "signal", "timer", "rbtimer", "cron", "filemon", "lock", "thread",
           "harakiri"]

def get_free_signal():
    '''The lowest number that no handler has.'''
    for number in range(256):
        if not uwsgi.signal_registered(number):
            return number
    raise Exception("there is no free signal left: 256 are the most")


def postfork(function):
    '''Calls the function once in each worker, when the application is loaded there; @postfork(N) in that
    worker alone.'''
    if not callable(function):
        return functools.partial(_postfork_in, function)
    _uwsgi_shared.at_fork.append(function)
    return function


def _postfork_in(worker, function):
    def call():
        if worker in (0, uwsgi.worker_id()):
            function()
    _uwsgi_shared.at_fork.append(call)
    return function


class signal:
    '''Calls the function when a signal comes.'''
    def __init__(self, num, target="", **ignored):
        self.num, self.target = num, target

    def begin(self):
        '''Arranges for the signal to be raised.'''

    def __call__(self, function):
        uwsgi.register_signal(self.num, self.target, function)
        self.begin()
        return function


class _Timed(signal):
    '''A signal whose number is chosen if none is given.'''
    def __init__(self, signum=None, target="", **ignored):
        super().__init__(get_free_signal() if signum is None else signum, target)


class timer(_Timed):
    '''Calls the function every `secs` seconds.'''
    def __init__(self, secs, **options):
        super().__init__(**options)
        self.secs = secs

    def begin(self):
        uwsgi.add_timer(self.num, self.secs)


class rbtimer(_Timed):
    '''The same; if iterations is given, only that often.'''
    def __init__(self, secs, iterations=0, **options):
        super().__init__(**options)
        self.secs, self.iterations = secs, iterations

    def begin(self):
        uwsgi.add_rb_timer(self.num, self.secs, self.iterations)


class cron(_Timed):
    '''Calls the function at minutes; -1 is any, -N each multiple of N, Sunday is 0.'''
    def __init__(self, minute, hour, day, month, dayweek, **options):
        super().__init__(**options)
        self.fields = minute, hour, day, month, dayweek

    def begin(self):
        uwsgi.add_cron(self.num, *self.fields)


class filemon(_Timed):
    '''Calls the function when a file changes, or one in a directory.'''
    def __init__(self, fsobj, **options):
        super().__init__(**options)
        self.fsobj = fsobj

    def begin(self):
        uwsgi.add_file_monitor(self.num, self.fsobj)


def lock(function):
    '''Calls the function under the lock of all workers.'''
    @functools.wraps(function)
    def locked(*arguments, **options):
        uwsgi.lock()
        try:
            return function(*arguments, **options)
        finally:
            uwsgi.unlock()
    return locked


def thread(function):
    '''Each call of the function starts a thread of its own, and does not wait for it.'''
    @functools.wraps(function)
    def begin(*arguments, **options):
        threading.Thread(target=function, args=arguments, kwargs=options, daemon=True).start()
        return function
    return begin


class harakiri:
    '''Gives the request this many seconds while the function runs.'''
    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, function):
        @functools.wraps(function)
        def bounded(*arguments, **options):
            uwsgi.set_user_harakiri(self.seconds)
            try:
                return function(*arguments, **options)
            finally:
                uwsgi.set_user_harakiri(0)
        return bounded


_INSTEAD = {
    "spool": "use a queue (Celery, RQ, Huey)", "spoolforever": "use a queue (Celery, RQ, Huey)",
    "spoolraw": "use a queue (Celery, RQ, Huey)",
    "mulefunc": "make it a program beside the server (attach-daemon), and use a queue",
    "mule": "make it a program beside the server (attach-daemon), and use a queue",
    "mule_brain": "make it a program beside the server (attach-daemon)",
    "muleloop": "make it a program beside the server (attach-daemon)",
    "mule_brainloop": "make it a program beside the server (attach-daemon)",
    "mulemsg": "make it a program beside the server (attach-daemon), and use a queue",
    "mulemsg_loop": "make it a program beside the server (attach-daemon), and use a queue",
    "farm": "make it a program beside the server (attach-daemon), and use a queue",
    "farm_loop": "make it a program beside the server (attach-daemon), and use a queue",
    "erlang": "use HTTP", "rpc": "use HTTP", "mstimer": "use a thread that sleeps",
}


def __getattr__(name):
    if name not in _INSTEAD:
        raise AttributeError(f"module 'uwsgidecorators' has no attribute {name!r}")

    def absent(*_, **__):
        raise NotImplementedError(f"@{name} is not there in this server: {_INSTEAD[name]}")
    absent.__name__ = absent.__qualname__ = name
    return absent
