"""Runs a configuration file of gunicorn's, and prints what it has set: a line for each name, with its values
between tabs, behind a line of its own that ends whatever the file has printed. Started by `server migrate`,
with the file."""
import sys
# The directory in which it was started is no place for modules: anybody may have put some there.
sys.path[:] = [place for place in sys.path if place]
import os
import signal


def escaped(value):
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def values(value):
    if callable(value):
        return ["\x01"]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, dict):
        return ["{…}"] if value else []
    if isinstance(value, (list, tuple, set)):
        return [escaped(item) for item in value]
    return [escaped(value)]


def main(path):
    signal.alarm(10)
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec")
    names = {"__builtins__": __builtins__, "__name__": "__config__", "__file__": path}
    before = set(names)
    exec(code, names)
    print("\x1e")
    for name, value in names.items():
        if name not in before and value is not None and type(value).__name__ != "module":
            print("\t".join([name] + values(value)))


main(sys.argv[1])
