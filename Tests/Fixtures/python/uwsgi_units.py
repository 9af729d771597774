# What tests of the module uwsgi without a server begin with: what the server and the plugin say, and a finder
# of the plugin's files. The first argument of such a test is their folder.
import importlib.machinery
import os
import sys
import types

FILES = {"uwsgi": "module.py", "uwsgidecorators": "decorators.py", "_uwsgi_shared": "shared.py",
         "_uwsgi_cache": "cache.py", "_uwsgi_table": "table.py", "_uwsgi_signals": "signals.py",
         "_uwsgi_clock": "clock.py", "_uwsgi_absent": "absent.py"}
FIRST = 90112
lines = []


def begin(folder=sys.argv[1]):
    module = types.ModuleType("_nsgi")
    module.log = lambda level, data: lines.append(bytes(data).decode()) or len(data)
    module.facts, module.hooks, module.tally = (0, 1, "test"), [], lambda *_: True
    module.renew = lambda reason: False
    module.exit_status = lambda error: error.code
    module.said = [("server.workers", "2"), ("server.uwsgi", "true"),
                   ("server.cache", f"{FIRST} 4096 10 64 32 0 small"),
                   ("server.cache", f"{FIRST + 4096} 20480 100 64 32 1 lru"),
                   ("server.cache", f"{FIRST + 24576} 155648 1000 64 32 0 middle"),
                   ("server.cache", f"{FIRST + 180224} 2961408 20000 64 32 0 big"),
                   ("server.cache", f"{FIRST + 3141632} 2961408 20000 64 32 1 biglru"),
                   ("server.opt", "processes=2"), ("server.opt", "a=b"), ("server.opt", "a=c"),
                   ("server.opt", "vacuum"), ("server.opt", "buffer-size=32768"),
                   ("server.opt", "pidfile=/run/x.pid")]
    sys.modules["_nsgi"] = module

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            return importlib.machinery.ModuleSpec(name, Finder) if name in FILES else None

        @staticmethod
        def create_module(spec):
            return None

        @staticmethod
        def exec_module(made):
            with open(os.path.join(folder, FILES[made.__name__]), encoding="utf-8") as file:
                exec(compile(file.read(), FILES[made.__name__], "exec"), made.__dict__)
    sys.meta_path.append(Finder)


begin()
