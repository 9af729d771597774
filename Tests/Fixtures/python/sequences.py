"""Heads and bodies in any order, as the query says: what one response leaves behind must not reach the next.
?FIELDS-FRESH-LENGTH-BEFORE-BODY-NUMBER; HeadSequenceTests.swift says what each of them answers."""
import io
import sys
import tempfile

FIELDS = [("Date", "then"), ("Server", "it"), ("Content-Type", "text/plain"), ("X-A", "a"),
          ("Set-Cookie", "session=1"), ("X-B", "b" * 200), ("ETag", '"e"'), ("X-C", "")]
LARGE = [b"l" * 100_000] * 3
STATUSES = ["200 OK", "200 Fine", "404 Not Found", "503"]
FILE = tempfile.NamedTemporaryFile()
FILE.write(b"0123456789" * 100)
FILE.flush()


class OneBlock:
  """len() is one: its block is the whole body."""

  def __init__(self, block):
    self.block = block

  def __len__(self):
    return 1

  def __iter__(self):
    return iter([self.block])


def head(count, fresh, number):
  """So many fields: objects that are always the same ones, or new ones."""
  if not fresh:
    return FIELDS[:count]
  return FIELDS[:2] + [(name[:1] + name[1:], f"{value}{number}") for name, value in FIELDS[2:count]]


def begin_before(kind, start, count, number):
  """A head before the one that counts: refused at its last field, or replaced."""
  if kind == 1:
    try:
      start("200 OK", head(count, number % 2, number) + [("Upgrade", "x")])
    except AssertionError:
      pass
  elif kind == 2:
    start("500 No", head(count, number % 2, number) + [("Content-Length", "7")])
    try:
      raise KeyError
    except KeyError:
      return sys.exc_info()
  return None


def application(environ, start):
  count, fresh, length, before, body, number = map(int, environ["QUERY_STRING"].split("-"))
  text = b"body %d" % number
  info = begin_before(before, start, 2 + number % 7, number)
  size = {0: len(text), 1: 2 * len(text), 2: 300_000, 3: 1000 - number % 1000, 4: len(text), 5: len(text),
          6: 2 * len(text), 7: len(text) + 1, 8: 0}[body]
  fields = head(count, fresh, number)
  if length == 1:
    fields = fields + [("Content-Length", str(size))]
  elif length == 2:
    fields = fields[:2] + [("Connection", "keep-alive")] + fields[2:]
  status = STATUSES[number % len(STATUSES)]
  write = start(status, fields, info) if info else start(status, fields)
  if body == 0:
    return [text]
  if body == 1:
    return (text, text)
  if body == 2:
    return LARGE
  if body == 3:
    file = open(FILE.name, "rb")
    file.seek(number % 1000)
    return environ["wsgi.file_wrapper"](file)
  if body == 4:
    return environ["wsgi.file_wrapper"](io.BytesIO(text))
  if body == 5:
    return OneBlock(text)
  if body == 6:
    return iter([text, b"", text])
  if body == 7:
    write(text)
    return [b"."]
  return []
