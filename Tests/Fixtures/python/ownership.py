"""Applications whose objects go while the server is still at work with them: nothing of a response, a request
or the plugin itself may be looked at once it is gone."""
import sys
import threading
import time

TEXT = [("Content-Type", "text/plain")]
SIZE = 8_000_000
PAGE = [b"0" * SIZE]
kept = {}


def page(environ, start):
  """A list that another request changes while its block is sent."""
  start("200 OK", TEXT)
  return PAGE


def replace(environ, start):
  PAGE[0] = (b"%d" % (int(environ["QUERY_STRING"]) % 10)) * SIZE
  start("200 OK", TEXT)
  return [b"replaced"]


def reads_late(environ, start):
  """A thread goes on reading the body after the request is over."""
  data = environ["wsgi.input"]
  started = threading.Event()

  def read():
    started.set()
    try:
      while data.read(100_000):
        pass
      kept["late"] = "end"
    except (ValueError, OSError) as error:
      kept["late"] = type(error).__name__
  threading.Thread(target=read).start()
  started.wait(10)
  start("200 OK", TEXT)
  return [b"over"]


def writes_late(environ, start):
  """A thread goes on writing after the request is over."""
  write = start("200 OK", TEXT)
  started = threading.Event()

  def work():
    try:
      while True:
        write(b"x" * 100_000)
        started.set()
    except (AssertionError, OSError) as error:
      kept["late"] = type(error).__name__
      started.set()
  threading.Thread(target=work).start()
  started.wait(10)
  return [b"over"]


def late(environ, start):
  end = time.monotonic() + 20
  while "late" not in kept and time.monotonic() < end:
    time.sleep(0.001)
  start("200 OK", TEXT)
  return [kept.pop("late", "nothing").encode()]


class Word(str):
  """A str that does something when it goes, and when it is shown."""

  def __del__(self):
    kept.get("when gone", lambda: None)()

  def __repr__(self):
    kept.get("when shown", lambda: None)()
    return str.__repr__(self)


def destructors(environ, start):
  """Names and values of the head before go while a new one is taken; they empty the list and ask again."""
  fields = [(Word("X-%d" % number), Word("value %d" % number)) for number in range(30)]
  start("200 OK", fields)
  answers = []

  def when_gone():
    kept.pop("when gone", None)
    again.clear()
    try:
      start("200 OK", TEXT)
      answers.append("taken")
    except AssertionError:
      answers.append("refused")
  again = [("Content-Type", "text/plain")] + [("Y-%d" % number, "y") for number in range(40)]
  del fields
  kept["when gone"] = when_gone
  try:
    raise KeyError
  except KeyError:
    start("200 OK", again, sys.exc_info())
  return [" ".join(answers).encode()]


def shown(environ, start):
  """A bad name empties the list of fields when it is shown."""
  fields = [(Word("no token "), Word("value")), ("Content-Type", "text/plain")]
  kept["when shown"] = fields.clear
  try:
    start("200 OK", fields)
  except ValueError as error:
    kept.pop("when shown")
    start("200 OK", TEXT)
    return [str(error).encode()]
  return [b"taken"]


def status(environ, start):
  """So does a status, which is kept from one response to the next."""
  start(Word("200 Mine"), TEXT)
  return [b"status"]


class Index:
  """A size whose value is a matter of time."""

  def __index__(self):
    kept["asked"].set()
    kept["over"].wait(10)
    return 1_000_000


def size_late(environ, start):
  """The request ends while the size of a read is being found out."""
  data = environ["wsgi.input"]
  data.read(1)
  kept["asked"], kept["over"] = threading.Event(), threading.Event()

  def read():
    try:
      kept["late"] = "%d bytes" % len(data.read(Index()))
    except ValueError as error:
      kept["late"] = type(error).__name__
  threading.Thread(target=read).start()
  kept["asked"].wait(10)
  start("200 OK", TEXT)
  return [b"over"]


def over(environ, start):
  kept["over"].set()
  return late(environ, start)


def without_modules(environ, start):
  """As programs that load their modules anew do."""
  for name in [name for name in sys.modules if name in ("_nsgi", "nsgi", "traceback")]:
    del sys.modules[name]
  import gc
  gc.collect()
  raise RuntimeError("no modules")


WORDS = {"number": 5, "none": None, "one": ("trace",), "list": ["trace", "sentence"], "numbers": (1, 2)}


def without_words(environ, start):
  """What describes an exception for the log gives something else, this once."""
  import _nsgi
  words, describe = WORDS[environ["QUERY_STRING"]], _nsgi.describe

  def once(error):
    _nsgi.describe = describe
    return words
  _nsgi.describe = once
  raise RuntimeError("no words")


def application(environ, start):
  return globals()[environ["PATH_INFO"][1:]](environ, start)
