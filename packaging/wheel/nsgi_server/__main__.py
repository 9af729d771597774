"""`python -m nsgi_server ...` is `nsgi-server ...`, with this Python for applications in Python."""
import os
import sys

from nsgi_server import program


def main() -> None:
  """Becomes the server; does not return."""
  path = program()
  try:
    os.execv(path, [path, *sys.argv[1:]])
  except OSError as error:
    # Another C library or processor: the kernel says no more than that a file is missing.
    sys.exit(f"nsgi-server: {path} does not start here ({error.strerror}): it is for Linux x86-64, glibc 2.35 or later")


if __name__ == "__main__":
  main()
