# What is in the messages of ASGI, and who has caused an exception: functions of the module of serving.py.
import asyncio, sys

def printable(text):
    '''A client's text for a log, where it must not begin a new line.'''
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in str(text))

def as_bytes(body, kind="http.response.body"):
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise TypeError(f"the body of {kind!r} is bytes, not {type(body).__name__}")

def as_headers(headers, kind="http.response.start"):
    found = []
    for one in headers:
        pair = tuple(one) if not isinstance(one, (str, bytes)) else ()
        if len(pair) != 2 or not all(isinstance(part, (bytes, bytearray, memoryview)) for part in pair):
            raise TypeError(f"the headers of {kind!r} are pairs of bytes, as "
                            f"(b'content-type', b'text/plain'), not {one!r}")
        found.append((bytes(pair[0]), bytes(pair[1])))
    return found

def is_caused_by_client(error):
    '''Whether an exception was caused by a client that has left: an application may have wrapped it.'''
    seen = 0
    while error is not None and seen < 32:
        if isinstance(error, (ClientDisconnected, asyncio.CancelledError)):
            return True
        if type(error).__name__ in ("ClientDisconnect", "WebSocketDisconnect"):
            return True
        if isinstance(error, groups) and any(is_caused_by_client(one) for one in error.exceptions):
            return True
        cause = error.__cause__
        error, seen = error.__context__ if cause is None else cause, seen + 1
    return False

# From Python 3.11 on; anything else that calls itself a group may contain itself.
groups = (BaseExceptionGroup,) if sys.version_info >= (3, 11) else ()
