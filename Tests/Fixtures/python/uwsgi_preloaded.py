# An application for uWSGI that does things while it is loaded, which is once, before there are workers.
import json
import os
import threading
import time

import uwsgi
import uwsgidecorators

MARKS = os.environ["MARKS"]
at_import = {
    "pid": os.getpid(), "worker": uwsgi.worker_id(), "site": uwsgi.opt["site"].decode(),
    "master": uwsgi.masterpid(), "numproc": uwsgi.numproc, "lazy": "lazy-apps" in uwsgi.opt,
    "cached": uwsgi.cache_set("loaded", "once"), "logvar": uwsgi.get_logvar("x"),
    "threads": threading.active_count(),
}
uwsgi.cache_set("short", "lived", 3600)
with_lock = uwsgi.lock(3), uwsgi.is_locked(3), uwsgi.unlock(3)
try:
    at_import["reload"] = uwsgi.reload()
except RuntimeError as error:
    at_import["reload"] = str(error)
forked = []


def mark(name):
    with open(os.path.join(MARKS, name), "a", encoding="ascii") as file:
        file.write(f"{os.getpid()}\n")


@uwsgidecorators.postfork
def in_worker():
    forked.append((os.getpid(), uwsgi.worker_id()))
    mark("postfork")


@uwsgidecorators.signal(9, target="workers")
def heard(number):
    mark("heard")


@uwsgidecorators.timer(1)
def every_second(number):
    mark("timer")


def add():
    for _ in range(50):
        uwsgi.lock(4)
        try:
            with open(os.path.join(MARKS, "sum"), "r+", encoding="ascii") as file:
                number = int(file.read() or 0)
                file.seek(0)
                file.write(str(number + 1))
        finally:
            uwsgi.unlock(4)
    return True


def answer(path, query):
    if path == "/sum":
        return add()
    if path == "/signal":
        return uwsgi.signal(9)
    if path == "/get":
        found = uwsgi.cache_get(query)
        return found and found.decode()
    if path == "/del":
        return uwsgi.cache_del(query)
    if path == "/set":
        return uwsgi.cache_update(query, str(os.getpid()))
    if path == "/wait":
        time.sleep(0.2)
    return {"pid": os.getpid(), "worker": uwsgi.worker_id(), "forked": forked, "import": at_import}


def application(environ, start_response):
    body = json.dumps(answer(environ["PATH_INFO"], environ["QUERY_STRING"])).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
