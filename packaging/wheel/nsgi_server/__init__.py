"""nsgi-server, an application server, as a package of Python: the program, and where it is."""
import os
import sysconfig

__all__ = ["__version__", "program"]
__version__ = "@VERSION@"


def program() -> str:
  """Path of the program that this package has installed."""
  here = os.path.dirname(os.path.abspath(__file__))
  # Where pip put it: of this environment, of the user (--user), or beside a --prefix or --target.
  folders = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", f"{os.name}_user")]
  folders += [os.path.join(here, *[os.pardir] * up, "bin") for up in (2, 4, 5)]
  for folder in folders:
    path = os.path.normpath(os.path.join(folder, "nsgi-server"))
    if os.access(path, os.X_OK): return path
  raise FileNotFoundError("the program nsgi-server is not where pip puts it: install nsgi-server again")
