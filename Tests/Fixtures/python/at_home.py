"""Objects that belong to the thread which made them, used by every call."""
import atexit
import sqlite3
import threading
import time

loader = threading.get_ident()
base = sqlite3.connect(":memory:")
base.execute("create table visits(path)")


@atexit.register
def end():
    print(f"visits {base.execute('select count(*) from visits').fetchone()[0]}")


def application(environ, start_response):
    path = environ["PATH_INFO"]
    base.execute("insert into visits values(?)", (path,))
    if path == "/slow":
        time.sleep(0.05)
    is_main = threading.current_thread() is threading.main_thread()
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"%d %d" % (threading.get_ident() == loader, is_main)
