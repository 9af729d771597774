# The module `uwsgi` as applications see it inside the server: the parts of uWSGI's that they use, with its
# meaning. Functions that need a process that this server does not have say what to use instead.
import os as _os
import socket as _socket
import sys as _sys
import threading as _threading

import _nsgi
import _uwsgi_shared as _shared

# The release of uWSGI whose functions these are.
version_info = (2, 0, 30, 0, "")
version = b"2.0.30"
hostname = _socket.gethostname().encode("utf-8", "surrogateescape")
numproc = int(_shared.told("workers") or 1)
cores = int(_shared.told("threads") or 1)
has_threads = 1
started_on = int(_shared.time.time())
is_a_reload = unbit = False
loop = mode = None
applications = {}
SPOOL_RETRY, SPOOL_OK, SPOOL_IGNORE, spoolers = -1, -2, 0, ()
# Set by applications: a function for the worker's end, and one for when the application is loaded.
atexit = None
post_fork_hook = None


def _make_options():
    '''The options in effect: text for names, bytes for values, True for flags, a list for several.'''
    found = {}
    for line in _shared.all_told("opt"):
        name, mark, text = line.partition("=")
        value = text.encode("utf-8", "surrogateescape") if mark else True
        if name in found:
            before = found[name]
            found[name] = (before if isinstance(before, list) else [before]) + [value]
        else:
            found[name] = value
    # Always the case here, whatever a configuration says.
    for name in "master", "enable-threads", "lazy-apps", "single-interpreter", "need-app":
        found[name] = True
    # Loaded once, before there are workers.
    if _nsgi.facts[0] is None:
        del found["lazy-apps"]
    if not _shared.is_supervised:
        del found["master"]
    return found


opt = _make_options()


def _option(name, default=None):
    '''The last value of an option, as bytes; the default for one without a value.'''
    found = opt.get(name)
    found = found[-1] if isinstance(found, list) else found
    return found if isinstance(found, bytes) else default


# The bytes of a head that fit; without the option the server's own bound.
buffer_size = int(_option("buffer-size", b"65536")) if _option("buffer-size", b"0").isdigit() else 65536
if "pidfile" in opt:
    pidfile = _option("pidfile")


def masterpid():
    '''The number of the master's process; 0 if there is none.'''
    return int(_shared.told("master") or 0)


def worker_id():
    return _shared.worker


def mule_id():
    return 0


def i_am_the_spooler():
    return False


def workers():
    return tuple(_shared.describe_worker(number) for number in range(1, min(numproc, _shared.SEATS) + 1))


def total_requests():
    return _shared.total_requests()


def mem():
    return list(_shared.memory_of(_os.getpid()) or (0, 0))


def ready():
    return True


def reload():
    '''Asks the master for a reload: new workers first, then the old ones leave.'''
    if not masterpid() or not _nsgi.renew("the application asks for it"):
        raise RuntimeError("there is no master that could start the application anew; leave out no-master")
    return True


def log(message):
    '''Writes a line to the server's log.'''
    text = message.decode("utf-8", "backslashreplace") if isinstance(message, bytes) else str(message)
    _shared.say("info", text)
    return True


def _bytes(value, what):
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    raise TypeError(f"{what} is text or bytes")


def set_logvar(name, value):
    '''Sets %(logvar.NAME) for the line of the request that this thread is serving.'''
    if not _nsgi.note(_bytes(name, "a name"), _bytes(value, "a value")):
        raise RuntimeError("a request has 32 variables with 16 KiB at most; outside of one there are none")


def get_logvar(name):
    '''The value that was set; None if there is none.'''
    return _nsgi.noted(_bytes(name, "a name"))


def set_user_harakiri(seconds):
    '''Gives this thread's request this many seconds from now on; 0: as many as any other.'''
    seconds = int(seconds)
    if not 0 <= seconds <= 86400 * 365:
        raise ValueError("a request has so many seconds, or with 0 as many as any other")
    _nsgi.harakiri(seconds)


# Locks.
_locks = [_shared.Lock(_shared.USER_LOCKS)]
_locks_lock = _threading.Lock()


def _lock(number):
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"a lock is a number, and {number!r} is none")
    if not 0 <= number <= 255:
        raise ValueError(f"a lock is a number from 0 to 255, and not {number}")
    with _locks_lock:
        while len(_locks) <= number:
            _locks.append(_shared.Lock(_shared.USER_LOCKS + len(_locks)))
    return _locks[number]


def lock(number=0):
    '''Waits for a lock shared by all workers, and takes it.'''
    _lock(number).acquire()


def unlock(number=0):
    _lock(number).release()


def is_locked(number=0):
    return _lock(number).is_held()


# Signals.

def _signals():
    import _uwsgi_signals
    return _uwsgi_signals


def _clock():
    import _uwsgi_clock
    return _uwsgi_clock


def register_signal(number, target, handler):
    '''handler(number) runs in the worker that gets the signal: "" and worker: the first that is free,
    workers: all, worker2: that one.'''
    _signals().register(number, target, handler)
    return True


def signal_registered(number):
    return _signals().checked(number) in _signals().handlers


def signal(number, node=None):
    '''Raises a signal.'''
    if node:
        raise NotImplementedError("signals stay in this server; use HTTP, or a queue, for another one")
    _signals().send(number)
    return True


def add_timer(number, seconds):
    '''Raises the signal every `seconds` seconds, in the worker that has the clock.'''
    _clock().add_timer(number, seconds)
    return True


def add_rb_timer(number, seconds, iterations=0):
    '''The same, only that often.'''
    _clock().add_timer(number, seconds, iterations)
    return True


def add_cron(number, minute, hour, day, month, weekday):
    '''Raises the signal at minutes: a number, -1 for any, -N for each multiple of N; Sunday is 0.'''
    _clock().add_cron(number, minute, hour, day, month, weekday)
    return True


def add_file_monitor(number, path):
    '''Raises the signal when a file changes, or one in a directory.'''
    _clock().add_monitor(number, path)
    return True


# Caches: available if the configuration has one, as in uWSGI.

def _make_cache_functions():
    import _uwsgi_cache as caches

    def cache_get(key, cache=None):
        found = caches.named(cache)
        if found is None:
            return None
        key = caches.taken(found, key)
        with found:
            return found.get(key)

    def cache_exists(key, cache=None):
        return True if cache_get(key, cache) is not None else None

    def cache_set(key, value, expires=0, cache=None):
        '''Adds an entry; None if there is one already.'''
        return caches.store(key, value, expires, cache, False)

    def cache_update(key, value, expires=0, cache=None):
        return caches.store(key, value, expires, cache, True)

    def cache_del(key, cache=None):
        found = caches.named(cache)
        if found is None:
            return None
        key = caches.taken(found, key)
        with found:
            known = found.find(key)
            if known is None:
                return None
            found.remove(known[0])
            return True

    def cache_clear(cache=None):
        found = caches.named(cache)
        if found is None:
            return None
        with found:
            found.clear()
        return True

    def cache_keys(cache=None):
        found = caches.named(cache)
        if found is None:
            return []
        return caches.all_keys(found)

    def cache_num(key, cache=None):
        '''The number under a key; 0 if there is none.'''
        value = cache_get(key, cache)
        return caches.NUMBER.unpack(value)[0] if value is not None and len(value) == 8 else 0

    def cache_inc(key, amount=1, expires=0, cache=None):
        return caches.change_number(key, cache, expires, lambda number: number + int(amount))

    def cache_dec(key, amount=1, expires=0, cache=None):
        return caches.change_number(key, cache, expires, lambda number: number - int(amount))

    def cache_mul(key, amount=2, expires=0, cache=None):
        return caches.change_number(key, cache, expires, lambda number: number * int(amount))

    def cache_div(key, amount=2, expires=0, cache=None):
        if int(amount) == 0:
            raise ValueError("nothing is divided by 0")
        return caches.change_number(key, cache, expires, lambda number: number // int(amount))

    return {name: value for name, value in locals().items() if name.startswith("cache_")}


_CACHES = ("get", "exists", "set", "update", "del", "clear", "keys", "num", "inc", "dec", "mul", "div")
if _shared.told("cache") is not None:
    globals().update(_make_cache_functions())

# WebSockets: the call of a request that asks for one has a thread of its own, which waits in these.
_TEXT, _BINARY, _GONE, _UNASKED, _UNOFFERED = 1, 2, -2, -3, 1


def websocket_handshake(key=None, origin=None, proto=None):
    '''Accepts the WebSocket that the request asks for. Its key is always the client's, whatever is given, and
    its origin is checked if websocket-origin lists allowed ones.'''
    result = _nsgi.socket_accept(_bytes(proto or b"", "a protocol"))
    if result == _GONE:
        raise OSError("unable to complete websocket handshake: the server has refused it, or its client is "
                      "gone")
    if result == _UNOFFERED:
        raise OSError("unable to complete websocket handshake: one thread makes all calls here (threads = "
                      "1), and a WebSocket needs one of its own: write http-websockets = true")
    if result == _UNASKED:
        raise OSError("unable to complete websocket handshake: this request asks for no WebSocket, has one, "
                      "or does not offer that protocol")
    if result != 0:
        raise OSError(f"unable to complete websocket handshake: the server's reason is {result}")


def websocket_recv():
    '''The next message, as bytes; waits for it. OSError when the client has closed.'''
    message = _nsgi.socket_receive(1)
    if message is False:
        raise OSError("unable to receive websocket message: the client is gone")
    return message


def websocket_recv_nb():
    '''The next message if there is one, else b"". OSError when the client has closed.'''
    message = _nsgi.socket_receive(0)
    if message is False:
        raise OSError("unable to receive websocket message: the client is gone")
    return b"" if message is None else message


def _websocket_send(kind, message):
    if not _nsgi.socket_send(kind, message):
        raise OSError("unable to send websocket message: the client is gone")


def websocket_send(message):
    '''Sends a text; waits while the client takes too little.'''
    _websocket_send(_TEXT, _bytes(message, "a message"))


def websocket_send_binary(message):
    _websocket_send(_BINARY, _bytes(message, "a message"))


def __getattr__(name):
    if name.startswith("cache_") and name[6:] in _CACHES:
        raise AttributeError(f"uwsgi.{name} needs a cache: add cache2 = name=default,items=1000")
    import _uwsgi_absent
    return _uwsgi_absent.find(name)


def _load_hook():
    if callable(_sys.modules[__name__].post_fork_hook):
        post_fork_hook()


_shared.at_fork.append(_load_hook)
