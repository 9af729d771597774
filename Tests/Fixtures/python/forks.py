"""Makes copies of its process by os.fork(), which end in every way."""
import multiprocessing
import os
import subprocess
import sys
import threading
import time


def ending(copy):
    status = os.waitpid(copy, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 256 + os.WTERMSIG(status)


def end(path, environ, start_response):
    """What the copy does."""
    print(f"copy {path}")
    if path == "/exit":
        sys.exit()
    if path == "/exit3":
        sys.exit(3)
    if path == "/exit_text":
        sys.exit("why the copy ends")
    if path == "/raise":
        raise ValueError("in the copy")
    if path == "/os_exit":
        os._exit(7)
    if path == "/exec":
        os.execv("/bin/sh", ["sh", "-c", "exit 4"])
    if path == "/write":
        start_response("200 OK", [])(b"from the copy")
    if path == "/read":
        environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [b"from the copy"]


def blocks(path):
    copy = os.fork()
    if copy == 0:
        if path == "/block_exit":
            sys.exit(5)
        if path == "/block_end":
            return
        yield b"from the copy"
        return
    yield b"%d" % ending(copy)


def double(number):
    return number * 2


def application(environ, start_response):
    path = environ["PATH_INFO"]
    text = "plain"
    if path.startswith("/block"):
        start_response("200 OK", [])
        return blocks(path)
    if path == "/multiprocessing":
        context = multiprocessing.get_context("fork")
        with context.Pool(2) as pool:
            text = str(sum(pool.map(double, range(10))))
        process = context.Process(target=sys.exit, args=(6,))
        process.start()
        process.join()
        text += f" {process.exitcode}"
    elif path == "/subprocess":
        done = subprocess.run(["/bin/sh", "-c", "echo out; exit 5"], capture_output=True)
        text = f"{done.stdout.decode().strip()} {done.returncode} {os.system('exit 6') >> 8}"
    elif path == "/thread":
        found = []

        def run():
            copy = os.fork()
            if copy == 0:
                sys.exit(0)
            found.append(ending(copy))
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        text = str(found)
    elif path == "/late":
        # Long enough to leave the loop: then it writes lines of requests while the copy is made.
        time.sleep(0.01)
        copy = os.fork()
        if copy == 0:
            print("a line of the copy", file=environ["wsgi.errors"])
            sys.exit("why it ends")
        text = str(ending(copy))
    elif path != "/plain":
        copy = os.fork()
        if copy == 0:
            return end(path, environ, start_response)
        text = str(ending(copy))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
