# An application that was written for uWSGI: each path asks for something of the module. What handlers do is
# written into files of the directory that MARKS names, a line each with the number of the process.
import json
import os
import sys
import threading
import time
import urllib.parse

import uwsgi
import uwsgidecorators
from uwsgidecorators import cron, filemon, harakiri, lock, postfork, rbtimer, signal, thread, timer

MARKS = os.environ["MARKS"]
loaded = []


def mark(name, text=""):
    with open(os.path.join(MARKS, name), "a") as file:
        file.write(f"{os.getpid()} {text}\n")


@postfork
def after_load():
    loaded.append(os.getpid())


def at_exit():
    mark("exit")


uwsgi.atexit = at_exit


@timer(1)
def every_second(number):
    mark("timer", str(number))


@rbtimer(1, iterations=2)
def twice(number):
    mark("rbtimer")


@cron(-1, -1, -1, -1, -1)
def every_minute(number):
    mark("cron")


@filemon(os.path.join(MARKS, "watched"))
def changed(number):
    mark("filemon")


@signal(40)
def any_worker(number):
    mark("any", str(number))


@signal(41, target="workers")
def all_workers(number):
    mark("all")


@signal(42, target="worker2")
def second_worker(number):
    mark("second")


@signal(43)
def fails(number):
    mark("fails")
    raise SystemExit("a handler that ends the process does not")


@signal(44)
def slow(number):
    mark("begin")
    time.sleep(0.3)
    mark("end")


@signal(46)
def patient(number):
    mark("patient")
    until = time.monotonic() + 30
    while not os.path.exists(os.path.join(MARKS, "released")) and time.monotonic() < until:
        time.sleep(0.02)
    mark("released-one")


@thread
def beside(text):
    mark("thread", text)


@lock
def locked():
    return uwsgi.is_locked()


@harakiri(1)
def bounded(seconds):
    time.sleep(seconds)


def refusals():
    '''Hostile values, and what they are answered with.'''
    tries = [
        lambda: uwsgi.lock(256), lambda: uwsgi.lock(-1), lambda: uwsgi.lock("0"), lambda: uwsgi.lock(True),
        lambda: uwsgi.unlock(3), lambda: uwsgi.signal(256), lambda: uwsgi.signal(-1),
        lambda: uwsgi.signal("1"),
        lambda: uwsgi.register_signal(1, "worker9999", print),
        lambda: uwsgi.register_signal(1, "mule", print),
        lambda: uwsgi.register_signal(1, "workers", None), lambda: uwsgi.register_signal(1, 7, print),
        lambda: uwsgi.signal(1, "10.0.0.1:9"), lambda: uwsgi.add_timer(1, 0), lambda: uwsgi.add_timer(1, -5),
        lambda: uwsgi.add_timer(1, float("nan")), lambda: uwsgi.add_cron(1, 60, -1, -1, -1, -1),
        lambda: uwsgi.add_cron(1, "x", -1, -1, -1, -1), lambda: uwsgi.add_rb_timer(1, 1, -1),
        lambda: uwsgi.set_user_harakiri(-1), lambda: uwsgi.set_logvar(1, "x"),
        lambda: uwsgi.set_logvar("", "x"), lambda: uwsgi.set_logvar("x", "y" * 20000),
        lambda: uwsgi.cache_get(5), lambda: uwsgi.cache_get(""), lambda: uwsgi.cache_get("k" * 65),
        lambda: uwsgi.cache_set("k", "v" * 5000), lambda: uwsgi.cache_set("k", "v", -1),
        lambda: uwsgi.cache_get("k", "pages@10.0.0.1:3031"), lambda: uwsgi.cache_div("k", 0),
        lambda: uwsgi.spool({b"a": b"b"}), lambda: uwsgi.websocket_handshake("a", "b"),
        lambda: uwsgi.mule_msg("x"), lambda: uwsgi.queue_push("x"), lambda: uwsgi.sharedarea_read(0, 0),
        lambda: uwsgi.metric_inc("x"), lambda: uwsgi.rpc("a", "b"), lambda: uwsgi.async_sleep(1),
        lambda: uwsgi.offload("a", "b"), lambda: uwsgidecorators.spool(print),
        lambda: uwsgidecorators.mulefunc(print), lambda: uwsgi.no_such_thing, lambda: uwsgidecorators.nothing,
    ]
    found = []
    for one in tries:
        try:
            found.append(repr(one()))
        except Exception as error:
            found.append(type(error).__name__ + ("" if len(str(error)) > 5 else " without a word"))
    return found


def facts():
    return {
        "worker": uwsgi.worker_id(), "master": uwsgi.masterpid(), "parent": os.getppid(), "pid": os.getpid(),
        "numproc": uwsgi.numproc, "mule": uwsgi.mule_id(), "version": uwsgi.version.decode(),
        "loaded": loaded == [os.getpid()], "decorators": uwsgidecorators.__spec__.origin,
        "opt": {key: value if value is True else repr(value) for key, value in uwsgi.opt.items()},
        "program": os.path.realpath("/proc/self/exe"), "spooler": uwsgi.i_am_the_spooler(),
    }


def workers():
    return [{key: value.decode() if isinstance(value, bytes) else value for key, value in one.items()}
            for one in uwsgi.workers()]


def cached(words):
    function, *arguments = words
    answer = getattr(uwsgi, "cache_" + function)(*[int(one) if one.isdigit() else one for one in arguments])
    return repr(answer)


def answer(words, environ):
    ask = words[0]
    if ask == "cache":
        return cached(words[1:])
    if ask == "signal":
        return uwsgi.signal(int(words[1]))
    if ask == "hold":
        uwsgi.lock(int(words[1]))
        mark("held")
        time.sleep(float(words[2]))
        uwsgi.unlock(int(words[1]))
        return True
    if ask == "count":
        # Not atomic but for the lock.
        for _ in range(50):
            with_lock()
        return True
    if ask == "logvar":
        uwsgi.set_logvar("tenant", urllib.parse.unquote_to_bytes(environ["QUERY_STRING"]))
        uwsgi.set_logvar("other", "once")
        uwsgi.set_logvar("other", "twice")
        return [repr(uwsgi.get_logvar(one)) for one in ("tenant", "other", "nothing")]
    if ask == "harakiri":
        uwsgi.set_user_harakiri(int(words[1]))
        if len(words) > 3:
            uwsgi.set_user_harakiri(int(words[3]))
        time.sleep(float(words[2]))
        return True
    if ask == "decorated":
        bounded(0.01)
        time.sleep(1.2)
        return locked()
    simple = {
        "facts": facts, "workers": workers, "refusals": refusals, "reload": uwsgi.reload,
        "total": uwsgi.total_requests, "mem": uwsgi.mem, "log": lambda: uwsgi.log("said \x1b[31m to uwsgi\n"),
        "thread": lambda: beside("x").__name__, "kill": lambda: os.kill(os.getpid(), 9),
        "has": lambda: hasattr(uwsgi, "cache_get"),
    }
    return simple[ask]()


def with_lock():
    uwsgi.lock(5)
    try:
        with open(os.path.join(MARKS, "sum"), "r+") as file:
            number = int(file.read() or 0)
            file.seek(0)
            file.write(str(number + 1))
    finally:
        uwsgi.unlock(5)


def application(environ, start_response):
    words = environ["PATH_INFO"].strip("/").split("/")
    body = json.dumps(answer(words, environ)).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
