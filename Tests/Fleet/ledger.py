"""A client that keeps a ledger:  ledger.py URL FILE CLIENTS RATE

So many clients ask for URL, each on a connection that stays open, RATE times a second together, until
SIGTERM. Each answer is a line of FILE: when it was asked and when the answer had come (seconds of the
monotonic clock, which all processes of the machine share), the status or 0 for none, and the answer or the
error.
"""
import http.client
import signal
import sys
import threading
import time
import urllib.parse

is_over = threading.Event()
lock = threading.Lock()


def client(url: urllib.parse.SplitResult, out, pause: float):
  connection = None
  due = time.monotonic()
  while not is_over.is_set():
    began = time.monotonic()
    try:
      if connection is None: connection = http.client.HTTPConnection(url.netloc, timeout=60)
      connection.request("GET", url.path or "/")
      answer = connection.getresponse()
      status, text = answer.status, answer.read().decode().strip()
      if answer.will_close: connection = None
    except (OSError, http.client.HTTPException) as error:
      status, text, connection = 0, repr(error), None
    line = text.splitlines()[0] if text else ""
    with lock: out.write(f"{began:.6f}\t{time.monotonic():.6f}\t{status}\t{line}\n")
    due = max(due + pause, time.monotonic() - pause)
    is_over.wait(max(0.0, due - time.monotonic()))


def main(url: str, file: str, clients: int, rate: float):
  signal.signal(signal.SIGTERM, lambda *_: is_over.set())
  with open(file, "w", buffering=1) as out:
    threads = [threading.Thread(target=client, args=(urllib.parse.urlsplit(url), out, clients / rate))
               for _ in range(clients)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()


if __name__ == "__main__":
  main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
