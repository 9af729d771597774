#!/usr/bin/env python3
"""From a save to the first answer of the new code: autoreload.py [SAVES] [OPTION...]

Starts the server of the release build with --debug (or with the options given), one process, saves a small
WSGI application SAVES times (30), and asks again and again until the new text comes. Prints the median and
the worst, in milliseconds; nothing here passes or fails.
"""
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE = "def application(environ, start):\n    start('200 OK', [])\n    return [b'%d']\n"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def answer(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/", headers={"Connection": "close"})
        return connection.getresponse().read()
    except OSError:
        return None
    finally:
        connection.close()


def wait_for(port, text):
    end = time.monotonic() + 30
    while answer(port) != text:
        if time.monotonic() > end:
            sys.exit(f"the answer {text} has not come within 30 s")
        time.sleep(0.002)


def measure(saves, options):
    with tempfile.TemporaryDirectory() as folder:
        path, port = os.path.join(folder, "saved.py"), free_port()

        def save(number):
            with open(path, "w", encoding="ascii") as file:
                file.write(SOURCE % number)

        save(0)
        command = [f"{ROOT}/.build/release/server", "-w", "saved", "--pp", folder, "-p", "1", "-L",
                   "--http-socket", f"127.0.0.1:{port}", *options]
        with open(os.path.join(folder, "log"), "w", encoding="ascii") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log)
        times = []
        try:
            wait_for(port, b"0")
            for number in range(1, saves + 1):
                # Not in step with whatever looks at the files from time to time.
                time.sleep(1 + number % 10 / 10)
                begin = time.monotonic()
                save(number)
                wait_for(port, b"%d" % number)
                times.append((time.monotonic() - begin) * 1000)
        finally:
            server.terminate()
            server.wait()
        return times


if __name__ == "__main__":
    words = sys.argv[1:]
    saves = int(words.pop(0)) if words and words[0].isdigit() else 30
    found = measure(saves, words or ["--debug"])
    print(f"{saves} saves: median {statistics.median(found):.0f} ms, worst {max(found):.0f} ms")
