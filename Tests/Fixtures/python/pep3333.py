"""Small WSGI applications for the tests of PEP 3333: the path says which one answers; one file because one
server has them all."""
import atexit
import io
import json
import os
import signal
import sys
import tempfile
import threading
import time
from wsgiref.validate import validator

TEXT = [("Content-Type", "text/plain")]
kept = {}
closed = []


def say(start_response, text, headers=TEXT):
  start_response("200 OK", headers)
  return [text.encode("utf-8")]


class Closing:
  """A body that notes its close(), and what it was asked for."""

  def __init__(self, name, blocks, fails=False):
    self.name, self.blocks, self.fails = name, iter(blocks), fails

  def __iter__(self):
    return self

  def __next__(self):
    block = next(self.blocks)
    return block() if callable(block) else block

  def close(self):
    closed.append(self.name)
    if self.fails:
      raise RuntimeError("close fails")


def boom():
  raise RuntimeError("b\u00f6om")


def hello(environ, start):
  return say(start, "Hello World!\n")


def environ(environ, start):
  shown = {key: value if isinstance(value, (str, bool)) else repr(value) for key, value in environ.items()}
  shown["type"] = type(environ).__name__
  shown["types"] = sorted({type(value).__name__ for key, value in environ.items() if key.isupper()})
  shown["version is a tuple"] = environ["wsgi.version"] == (1, 0) and type(environ["wsgi.version"]) is tuple
  return say(start, json.dumps(shown))


def fresh(environ, start):
  """Each request has a dict of its own, whatever was done to the last one."""
  seen = "mine" in environ or environ is kept.get("environ") or environ.get("REQUEST_METHOD") != "GET"
  environ["mine"] = 1
  environ["REQUEST_METHOD"] = "CHANGED"
  del environ["SERVER_NAME"]
  kept["environ"] = environ
  return say(start, "seen" if seen else "fresh")


def keeps(environ, start):
  """Keeps its environ as it is, and answers with what those of the requests before say by now."""
  mine = kept.setdefault("environs", [])
  mine.append(environ)
  if len({id(one) for one in mine}) < len(mine):
    return say(start, "the same dict again")
  return say(start, " ".join(one["QUERY_STRING"] for one in mine))


def text_blocks(environ, start):
  start("200 OK", TEXT)
  return ["Hello World!\n"]


def bare(environ, start):
  start("200 OK", TEXT)
  return b"bare body"


def bytearrays(environ, start):
  start("200 OK", TEXT)
  return [bytearray(b"x")]


def writes(environ, start):
  write = start("200 OK", TEXT)
  write(b"one ")
  write(b"two ")
  return [b"three"]


def in_next(environ, start):
  def blocks():
    yield b""
    start("200 OK", TEXT)
    yield b""
    yield b"late"
  return blocks()


def never(environ, start):
  return [b"x"]


def empty_then_replaced(environ, start):
  """Nothing has been sent by empty blocks: the head can still be replaced."""
  def blocks():
    start("200 OK", TEXT)
    yield b""
    try:
      boom()
    except RuntimeError:
      start("503 Service Unavailable", TEXT, sys.exc_info())
    yield b"replaced"
  return blocks()


def too_late(environ, start):
  def blocks():
    start("200 OK", TEXT)
    yield b"sent"
    try:
      boom()
    except RuntimeError:
      start("500 Oops", TEXT, sys.exc_info())
    yield b"never"
  return blocks()


class Disguised:
  """What isinstance() takes for an exception, as it does mocks, and what is none."""
  __class__ = property(lambda self: RuntimeError)


def too_late_without(environ, start):
  """Nothing is being handled: sys.exc_info() is three times None."""
  def blocks():
    start("200 OK", TEXT)
    yield b"sent"
    for info in [sys.exc_info(), (int, 5, None), (None, "text", 7), (RuntimeError, Disguised(), None)]:
      try:
        start("500 Oops", TEXT, info)
      except AssertionError as error:
        print("told:", error, file=sys.stderr)
    start("500 Oops", TEXT, sys.exc_info())
  return blocks()


def twice(environ, start):
  start("200 OK", TEXT)
  start("200 OK", TEXT)
  return [b"x"]


def twice_after_refusal(environ, start):
  try:
    start("bad", TEXT)
  except ValueError:
    pass
  try:
    start("200 OK", TEXT)
  except AssertionError:
    return [b"AssertionError"]
  return [b"allowed"]


def page_after_refusal(environ, start):
  """An error page of its own in place of a head that is refused: by the plugin, or by the server when the
  body begins, since it is too large."""
  large = [("X-%d" % number, "x" * 1000) for number in range(200)]
  if environ["QUERY_STRING"] == "large":
    write = start("200 OK", large)
    try:
      write(b"nothing of this leaves")
      write(b"nor of this")
    except ValueError:
      start("500 Mine", TEXT)
  else:
    try:
      start("200 OK", TEXT + [("Upgrade", "x")])
    except AssertionError:
      start("500 Mine", TEXT)
  return [b"my own page"]


def events(environ, start):
  """As recipes for server-sent events have it."""
  start("200 OK", [("Content-Type", "text/event-stream"), ("Connection", "keep-alive"),
                   ("keep-alive", "timeout=5"), ("Cache-Control", "no-cache")])
  return iter([b"data: 1\n\n", b"data: 2\n\n"])


BAD_HEADS = {
  "status-int": (200, TEXT), "status-word": ("OK", TEXT), "status-control": ("200 O\nK", TEXT),
  "status-joined": ("200OK", TEXT), "tuple": ("200 OK", tuple(TEXT)), "list-item": ("200 OK", [["A", "b"]]),
  "three": ("200 OK", [("A", "b", "c")]), "bytes": ("200 OK", [("A", b"b")]),
  "name-space": ("200 OK", [("A b", "c")]),
  "name-colon": ("200 OK", [("A:", "c")]), "name-empty": ("200 OK", [("", "c")]),
  "crlf": ("200 OK", [("A", "b\r\nC: d")]), "nul": ("200 OK", [("A", "b\0")]),
  "wide": ("200 OK", [("A", "\u2603")]),
  "length": ("200 OK", [("Content-Length", "ten")]),
}
HOP_BY_HOP = ["Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailers",
              "Transfer-Encoding", "Upgrade", "Status", "transfer-ENCODING", "Proxy-Connection"]


def refusals(environ, start):
  """The exception that each bad head raises at once."""
  answers = {}
  for name, head in {**BAD_HEADS, **{name: ("200 OK", [(name, "x")]) for name in HOP_BY_HOP}}.items():
    try:
      try:
        raise KeyError
      except KeyError:
        start(*head, sys.exc_info())
      answers[name] = "accepted"
    except (TypeError, ValueError, AssertionError) as error:
      answers[name] = type(error).__name__
  try:
    raise KeyError
  except KeyError:
    start("200 OK", TEXT, exc_info=sys.exc_info())
  return [json.dumps(answers).encode()]


def closes(environ, start):
  """Notes close() under the query's name; the query also says what goes wrong."""
  how = environ["QUERY_STRING"]
  start("200 OK", TEXT)
  blocks = {"normal": [b"a", b"b"], "raises": [boom], "raises-late": [b"a", boom], "text": ["x"],
            "empty": [], "endless": iter(lambda: b"x" * 65536, None), "failing": [b"a"]}
  return Closing(how, blocks.get(how, [b"a"]), fails=how == "failing")


def closed_list(environ, start):
  text = json.dumps(closed)
  return say(start, text)


def lengths(environ, start):
  """?DECLARED-BLOCKS: that Content-Length, and blocks of three bytes."""
  declared, blocks = environ["QUERY_STRING"].split("-")
  start("200 OK", TEXT + [("Content-Length", declared)])
  return iter([b"abc"] * int(blocks))


def write_excess(environ, start):
  write = start("200 OK", TEXT + [("Content-Length", "4")])
  write(b"abc")
  try:
    write(b"def")
  except AssertionError:
    kept["excess"] = "refused"
  return []


class OneBlock:
  """len() is one: its block is the whole body."""

  def __len__(self):
    return 1

  def __iter__(self):
    return iter([b"single"])


def one_block(environ, start):
  start("200 OK", TEXT)
  return OneBlock()


def status(environ, start):
  """The query's status, with a body that some of them do not have."""
  code = environ["QUERY_STRING"]
  start(f"{code} Reason", [] if code in ("204", "304") else TEXT)
  return [] if code in ("204", "304") else [b"body"]


def phrases(environ, start):
  """A reason phrase of its own; the query says which way the body goes."""
  how = environ["QUERY_STRING"]
  write = start("299 Fine By Me", TEXT)
  if how == "write":
    write(b"body")
    return []
  if how == "iterator":
    return iter([b"bo", b"dy"])
  if how == "file":
    file = tempfile.TemporaryFile()
    file.write(b"body")
    file.seek(0)
    return environ["wsgi.file_wrapper"](file)
  if how == "fails":
    boom()
  return [] if how == "empty" else [b"body"]


def raises(environ, start):
  boom()


def raises_late(environ, start):
  def blocks():
    start("200 OK", TEXT)
    yield b"sent"
    boom()
  return blocks()


def paced(environ, start):
  """The second block waits until a request to /go has come."""
  def blocks():
    start("200 OK", TEXT)
    yield b"first "
    gate.wait(20)
    yield b"second"
  return blocks()


def paced_large(environ, start):
  """A block of so many bytes, by write() if asked to; the end waits until a request to /go has come."""
  size, _, how = environ["QUERY_STRING"].partition("-")
  write = start("200 OK", TEXT)
  block = b"x" * int(size)

  def blocks():
    if how == "write":
      write(block)
    else:
      yield block
    handed_over.set()
    gate.wait(20)
    yield b"end"
  return blocks()


class ClosedLate(Closing):
  """Its close() waits until the file whose path is its name is there."""

  def close(self):
    end = time.monotonic() + 20
    while not os.path.exists(self.name) and time.monotonic() < end:
      time.sleep(0.001)
    super().close()


def closed_late(environ, start):
  """The whole body is there, and the application is not done."""
  start("200 OK", TEXT + [("Content-Length", "5")])
  return ClosedLate(environ["QUERY_STRING"], [b"whole"])


def handed(environ, start):
  """Answers once the large block has been taken from the application."""
  handed_over.wait(20)
  return say(start, str(handed_over.is_set()))


handed_over = threading.Event()
gate = threading.Event()


def go(environ, start):
  gate.set()
  return say(start, "gone")


def reads(environ, start):
  data = environ["wsgi.input"]
  result = [data.read(0), data.read(2), data.readline(3), data.readline(), data.readline(-1),
            data.readlines(1), next(data), data.readlines(), data.read(), data.read(5),
            data.readline(), list(data)]
  return say(start, repr(result))


def echo(environ, start):
  start("200 OK", TEXT + [("X-Length", environ.get("CONTENT_LENGTH", "none")),
                          ("X-Terminated", str(environ["wsgi.input_terminated"]))])
  return [environ["wsgi.input"].read(-1)]


def after_the_end(environ, start):
  """What the request before has left can do no harm."""
  answers = []
  for name in ("input", "start", "write"):
    if name in kept:
      try:
        arguments = {"input": (), "start": ("200 OK", TEXT), "write": (b"x",)}[name]
        (kept[name].read if name == "input" else kept[name])(*arguments)
        answers.append("allowed")
      except (ValueError, AssertionError) as error:
        answers.append(type(error).__name__)
  kept.update(input=environ["wsgi.input"], start=start)
  kept["write"] = start("200 OK", TEXT)
  return [" ".join(answers).encode()]


def errors(environ, start):
  log = environ["wsgi.errors"]
  log.write("half a ")
  log.write("line\n")
  log.writelines(["snow \u2603\n", "surrogate \udc80\n"])
  log.flush()
  log.write("no newline")
  print("printed", flush=True)
  import logging
  import warnings
  logging.getLogger("app").warning("logged")
  warnings.warn("warned")
  return say(start, "ok")


def file_of(environ, start):
  kind = environ["QUERY_STRING"]
  if kind == "bytesio":
    file = io.BytesIO(b"0123456789" * 10)
  elif kind == "text":
    file = open(__file__, encoding="utf-8")
  else:
    file = tempfile.TemporaryFile() if kind != "raw" else tempfile.TemporaryFile(buffering=0)
    file.write(b"0123456789" * 100_000)
    file.seek(5)
    file.read(10)
  headers = TEXT + ([("Content-Length", "30")] if kind == "length" else [])
  start("200 OK", headers)
  wrapper = environ["wsgi.file_wrapper"](file, 4096)
  kept["file"] = file
  if kind == "wrapped":
    return (block.lower() for block in wrapper)
  return wrapper


def file_closed(environ, start):
  return say(start, str(kept["file"].closed))


def fails_then_works(environ, start):
  """start_response of a failed request does not reach into the next."""
  start("404 Not Found", [("X-Left", "over")])
  boom()


def sleeps(environ, start):
  time.sleep(float(environ["QUERY_STRING"]))
  return say(start, threading.current_thread().name)


def facts(environ, start):
  import __main__
  return say(start, json.dumps({
    "argv": sys.argv, "path": sys.path, "main": __main__.__name__, "executable": sys.executable,
    "cwd": os.getcwd(), "int": str(signal.getsignal(signal.SIGINT)),
    "FLAG": os.environ.get("FLAG"), "OTHER": os.environ.get("OTHER"),
    "multithread": environ["wsgi.multithread"], "multiprocess": environ["wsgi.multiprocess"],
    "run_once": environ["wsgi.run_once"], "script": environ["SCRIPT_NAME"]}))


def memory(environ, start):
  """Blocks that Python has allocated, and resident bytes."""
  import gc
  closed.clear()
  gc.collect()
  with open("/proc/self/statm", encoding="ascii") as file:
    resident = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
  return say(start, json.dumps({"blocks": sys.getallocatedblocks(), "resident": resident}))


def background(environ, start):
  """A thread of the application's own goes on after the request."""
  def run():
    kept["thread"] = sum(range(100_000))
  thread = threading.Thread(target=run)
  thread.start()
  thread.join()
  return say(start, str(kept["thread"]))


APPS = {"/" + name.replace("_", "-"): value for name, value in list(globals().items())
        if callable(value) and name not in ("say", "boom", "validator", "Closing", "ClosedLate",
                                            "OneBlock", "Disguised")}


def application(environ, start_response):
  """Chooses by the path."""
  app = APPS.get(environ["PATH_INFO"])
  if app is None:
    return say(start_response, "ok")
  return app(environ, start_response)


checked = validator(application)


def make():
  """A factory."""
  return application


def make_with(name, debug=False, /, **options):
  """Another one, which shows what it was given."""
  def shows(environ, start):
    return say(start, repr((name, debug, options)))
  return shows


class namespace:
  app = staticmethod(application)
  make_with = staticmethod(make_with)


not_callable = 42


@atexit.register
def leave():
  print("atexit ran")
