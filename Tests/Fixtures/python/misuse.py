"""WSGI applications that call what they are given in wrong ways, or give what is wrong; the path says which.
Most answer with what came to something else than it should: an empty list."""
import json
import sys

TEXT = [("Content-Type", "text/plain")]
VAST = 1 << 70


def raised(function, *arguments, **names):
  try:
    function(*arguments, **names)
  except Exception as error:
    return type(error).__name__
  return "taken"


def arities(environ, start):
  """Too few arguments and too many, directly and by iter(), which may bring no place for them at all."""
  data, log = environ["wsgi.input"], environ["wsgi.errors"]
  write = start("200 OK", TEXT)
  calls = [
    (start,), (start, "200 OK"), (start, "200 OK", TEXT, None, None), (lambda: next(iter(start, 1)),),
    (lambda: start(status="200 OK", headers=TEXT),), (lambda: start("200 OK", TEXT, None, more=1),),
    (write,), (write, b"x", b"y"), (write, "text"), (write, None), (write, bytearray(b"x")),
    (lambda: next(iter(write, 1)),), (lambda: write(data=b"x"),), (lambda: write(*[], **{}),),
    (data.read, 1, 2), (data.readline, 1, 2), (data.readlines, 1, 2), (data.readinto,),
    (data.readinto, bytearray(1), 2), (data.readinto, 5), (lambda: data.read(size=1),), (data.read, 1.0),
    (data.read, "1"), (data.readline, b"1"), (data.readlines, []), (data.__iter__, 1), (data.__next__, 1),
    (log.write,), (log.write, "a", "b"), (log.flush, 1), (log.writelines,), (log.close, 1),
    (type(data),), (type(start),), (type(write),),
  ]
  wrong = [index for index, call in enumerate(calls) if raised(*call) != "TypeError"]
  return [json.dumps(wrong).encode()]


def sizes(environ, start):
  """The body is six short lines, the last one without its end."""
  data = environ["wsgi.input"]
  found = [
    data.read(0), data.readline(0), data.readline(1), data.readline(1 << 63), data.readline(VAST),
    data.readline(-VAST), data.readline(None), data.readlines(1), data.read(VAST), data.read(-1),
    data.read(None), data.read(-(1 << 63) - 1), data.readline(VAST), data.readlines(VAST),
    data.readlines(0), data.readlines(-1), data.readinto(bytearray(5)), list(data)]
  start("200 OK", TEXT)
  return [repr(found).encode()]


WHOLE = {
  "read": lambda data: data.read(), "read-1": lambda data: data.read(-1),
  "read-None": lambda data: data.read(None), "read-63": lambda data: data.read(1 << 63),
  "read-vast": lambda data: data.read(VAST), "read-negative": lambda data: data.read(-VAST),
  "lines": lambda data: b"".join(data.readlines()), "lines-0": lambda data: b"".join(data.readlines(0)),
  "lines-None": lambda data: b"".join(data.readlines(None)),
  "lines-1": lambda data: b"".join(data.readlines(-1)),
  "lines-vast": lambda data: b"".join(data.readlines(VAST)), "iteration": b"".join,
  "line": lambda data: b"".join(iter(data.readline, b"")),
}


def whole(environ, start):
  start("200 OK", TEXT)
  return [WHOLE[environ["QUERY_STRING"]](environ["wsgi.input"])]


def errors(environ, start):
  log = environ["wsgi.errors"]
  wrong = [one for one in (b"bytes", None, 5, [], bytearray(b"x")) if raised(log.write, one) != "TypeError"]
  wrong += [one for one in (5, None, [b"bytes"], ["part of a line\n", 5])
            if raised(log.writelines, one) != "TypeError"]
  log.write("a zero \0 in a line\n")
  log.write("a half \ud83d of a pair\n")
  log.writelines(iter(["first of two\n", "second of two\n"]))
  log.flush()
  log.close()
  log.write("behind the close\n")
  sys.stdout.close()
  print("printed behind the close")
  start("200 OK", TEXT)
  return [json.dumps([repr(one) for one in wrong]).encode()]


class Fields(list):
  pass


def fields(*values):
  return [("TypeError" if not isinstance(one, str) else "ValueError", "200 OK", [("X-Name", one)])
          for one in values]


def names(*values):
  return [("TypeError" if not isinstance(one, str) else "ValueError", "200 OK", [(one, "value")])
          for one in values]


HEADS = [("ValueError", one, TEXT) for one in (
  "99 x", "099 x", "100 Continue", "199 x", "600 x", "999 x", "", "20", "2000 OK", "+20 OK", "2 0 OK",
  " 200 OK", "\u0662\u0660\u0660 OK", "200 \u2603", "200 \ud800", "200 O\0K", "200 OK\r\nX: y", "200\nOK",
  "200\tOK", "200 \x7f", "OK")]
HEADS += [("TypeError", one, TEXT) for one in (None, 200, 200.0, b"200 OK", ["200 OK"], ("200", "OK"))]
HEADS += [("TypeError", "200 OK", one) for one in (
  None, 5, "text", b"bytes", {}, {"A": "b"}, tuple(TEXT), Fields(TEXT), set(TEXT), ["ab"], [("A",)], [()],
  [("A", "b", "c")], [["A", "b"]], [None], [5], [("A", "b"), "cd"])]
HEADS += names("", "A B", "A:", "A\r\n", "A\n", "A\0", "\u2603", "caf\xe9", "\ud800", "A\x7f", "(A)", None, 5,
               b"A", ("A",))
HEADS += fields("b\r", "b\n", "b\r\nX: y", "b\n c", "b\0", "\x01", "\x7f", "\u2603", "\ud800", "\u0100", None,
                5, b"b", ["b"])
HEADS += [("ValueError", "200 OK", [("Content-Length", one)]) for one in (
  "", "-1", "+5", "1 2", "5 ", "0x5", "\xb2", "9" * 19, "9" * 400, "5, 5")]
HEADS += [("taken", one, TEXT) for one in ("200", "200 ", "299 Caf\xe9", "599 x y")]
HEADS += [("taken", "200 OK", [("X-Name", one)]) for one in ("", "caf\xe9", "a\tb", "\xff", "b" * 9)]


def heads(environ, start):
  """Each head with exc_info: those that are taken replace the one before."""
  wrong = []
  for expected, *head in HEADS:
    try:
      raise KeyError
    except KeyError:
      found = raised(start, *head, sys.exc_info())
    if found != expected:
      wrong.append(f"{found}: {head!a}")
  for info in (5, (), (None, None), [None, None, None], "abc", (1, 2, 3, 4)):
    if raised(start, "200 OK", TEXT, info) != "TypeError":
      wrong.append(f"exc_info {info!r}")
  try:
    raise KeyError
  except KeyError:
    start("200", TEXT, sys.exc_info())
  return [json.dumps(wrong).encode()]


class Failing:
  """A body of two blocks that fails where it is told to."""

  def __init__(self, where, error):
    self.where, self.error, self.blocks = where, error, [b"one", b"two"]

  def fail(self, where):
    if where == self.where:
      raise self.error("as it should")

  def __iter__(self):
    self.fail("iter")
    return self

  def __len__(self):
    self.fail("len")
    return 2

  def __next__(self):
    if len(self.blocks) == 1:
      self.fail("middle")
    if not self.blocks:
      self.fail("end")
      raise StopIteration
    return self.blocks.pop(0)

  def __getattribute__(self, name):
    if name == "close":
      object.__getattribute__(self, "fail")("lookup")
    return object.__getattribute__(self, name)

  def close(self):
    self.fail("close")


ERRORS = [RuntimeError, SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError, RecursionError]


def body(environ, start):
  """?WHERE-NUMBER: the body fails there with that exception."""
  where, _, number = environ["QUERY_STRING"].partition("-")
  start("200 OK", TEXT)
  return Failing(where, ERRORS[int(number)])


def nothing(environ, start):
  start("200 OK", TEXT)
  return {"None": None, "number": 5, "function": len, "text": "text", "object": object()}[
    environ["QUERY_STRING"]]


def application(environ, start):
  return globals()[environ["PATH_INFO"][1:]](environ, start)
