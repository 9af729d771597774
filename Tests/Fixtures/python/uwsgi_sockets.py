# A WSGI application that speaks WebSocket by uWSGI's functions, and does by its paths what the tests ask for.
import os
import sys
import threading
import time

import uwsgi

importer = threading.get_ident()


def echo(send):
    while True:
        send(uwsgi.websocket_recv())


def slowly():
    while True:
        message = uwsgi.websocket_recv()
        time.sleep(0.0005)
        uwsgi.websocket_send(message)


def ending(copy):
    return str(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]))


def fork(how):
    copy = os.fork()
    if copy == 0:
        if how == "exit3":
            sys.exit(3)
        if how == "raise":
            raise ValueError("in the copy")
        if how == "receive":
            uwsgi.websocket_recv()
        if how == "send":
            uwsgi.websocket_send("from the copy")
        return []
    uwsgi.websocket_send(ending(copy))
    echo(uwsgi.websocket_send)


def yields():
    uwsgi.websocket_handshake()
    yield b"never"


def streams(last):
    '''A generator that has a socket: its blocks go nowhere, whatever they are, but they are bytes.'''
    uwsgi.websocket_handshake()
    yield b""
    uwsgi.websocket_send("said")
    yield b"never"
    try:
        echo(uwsgi.websocket_send)
    except OSError:
        yield last


def look(environ):
    '''Messages without waiting for them.'''
    uwsgi.websocket_send("nothing" if uwsgi.websocket_recv_nb() == b"" else "something")
    while True:
        message = uwsgi.websocket_recv_nb()
        if message:
            uwsgi.websocket_send(b"found " + message)
        else:
            time.sleep(0.005)


def flood(environ):
    '''More than the server keeps for a client: waits for it.'''
    for number in range(200):
        uwsgi.websocket_send_binary(bytes([number]) * 65536)
    uwsgi.websocket_send("all is said")
    uwsgi.websocket_recv()


def answer(start_response, status, text):
    start_response(status, [("Content-Type", "text/plain")])
    return [text.encode()]


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/plain":
        return answer(start_response, "200 OK", "plain")
    if path == "/thread":
        is_home = threading.get_ident() == importer
        return answer(start_response, "200 OK", "the importing one" if is_home else "another")
    if path == "/multithread":
        return answer(start_response, "200 OK", str(environ["wsgi.multithread"]))
    if path == "/yields":
        return yields()
    if path.startswith("/streams/"):
        return streams(b"never" if path == "/streams/bytes" else "no bytes")
    if path == "/late_head":
        uwsgi.websocket_handshake()
        return answer(start_response, "200 OK", "never")
    if path == "/fork_before":
        copy = os.fork()
        return answer(start_response, "200 OK", ending(copy) if copy else "from the copy")
    if path == "/refuse":
        return answer(start_response, "403 Forbidden", "not you")
    if path == "/fails":
        raise ValueError("before the handshake")
    if path in ("/unasked", "/early", "/caught"):
        try:
            uwsgi.websocket_recv() if path == "/early" else uwsgi.websocket_handshake()
        except OSError as error:
            return answer(start_response, "200 OK", str(error))
    uwsgi.websocket_handshake(proto=environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL"))
    if path == "/text":
        echo(uwsgi.websocket_send)
    if path == "/binary":
        echo(uwsgi.websocket_send_binary)
    if path.startswith("/fork/"):
        return fork(path[6:])
    if path == "/slowly":
        slowly()
    if path == "/look":
        look(environ)
    if path == "/flood":
        flood(environ)
    if path == "/raises":
        uwsgi.websocket_send("soon")
        raise ValueError("behind the handshake")
    return []
