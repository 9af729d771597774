"""wsgi.file_wrapper of files that are not what they say; the path says which."""
import io
import os
import socket
import tempfile

TEXT = [("Content-Type", "text/plain")]


def proc(query):
  return open(query, "rb")


def seeked(query):
  file = open(query, "rb")
  file.read(5)
  return file


def pipe(query):
  reading, writing = os.pipe()
  os.write(writing, b"through a pipe")
  os.close(writing)
  return os.fdopen(reading, "rb")


def raw_pipe(query):
  reading, writing = os.pipe()
  os.write(writing, b"through a pipe")
  os.close(writing)
  return os.fdopen(reading, "rb", buffering=0)


def through_socket(query):
  one, other = socket.socketpair()
  one.sendall(b"through a socket")
  one.close()
  return other.makefile("rb")


class NoDescriptor:
  """Has read() and nothing else."""

  def __init__(self):
    self.blocks = [b"no ", b"descriptor", b""]

  def read(self, size):
    return self.blocks.pop(0)


def no_descriptor(query):
  return NoDescriptor()


def write_only(query):
  return open(os.devnull, "wb")


def beyond(query):
  file = tempfile.TemporaryFile()
  file.write(b"0123456789")
  file.seek(1 << 40)
  return file


def sparse(query):
  file = tempfile.TemporaryFile()
  file.truncate(100_000)
  return file


def empty(query):
  return tempfile.TemporaryFile()


def memory(query):
  return io.BytesIO(b"in memory")


def application(environ, start):
  file = globals()[environ["PATH_INFO"][1:]](environ["QUERY_STRING"])
  start("200 OK", TEXT)
  return environ["wsgi.file_wrapper"](file)


kept = {}


def changes(environ, start):
  """A file of 40 MB; /change makes it as long as the query says."""
  start("200 OK", TEXT)
  if environ["PATH_INFO"] == "/change":
    os.ftruncate(kept["file"].fileno(), int(environ["QUERY_STRING"]))
    return [b"changed"]
  kept["file"] = tempfile.TemporaryFile()
  kept["file"].write(b"x" * 40_000_000)
  kept["file"].seek(0)
  return environ["wsgi.file_wrapper"](kept["file"])
