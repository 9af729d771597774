# Things that are simpler in Python than through its C API: the log as text files, finding the application,
# describing exceptions. The plugin embeds this file and runs it once, as the module `_nsgi`, after putting
# `log`, `facts` and `reload` into it. It is one file because it is one module, `_nsgi`, which is run from its
# text before any other can be found.
import io, sys

class LogFile(io.RawIOBase):
    '''Bytes of lines, for the server's log.'''
    def __init__(self, level):
        self.level = level
    def writable(self):
        return True
    def write(self, data):
        return log(self.level, data)
    def fileno(self):
        return 2
    def close(self):
        '''Does nothing: one request that closes wsgi.errors must not take it away from all others.'''

def log_stream(level, name):
    raw = LogFile(level)
    raw.name, raw.mode = name, "wb"
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", newline="\n",
                            line_buffering=True, write_through=True)

errors = log_stream(4, "<wsgi.errors>")
sys.stdout, sys.stderr = log_stream(2, "<stdout>"), log_stream(3, "<stderr>")

class FileWrapper:
    '''wsgi.file_wrapper: blocks of a file, which the server sends itself if it can.'''
    __slots__ = "filelike", "blksize", "close"
    def __init__(self, filelike, blksize=8192):
        self.filelike, self.blksize = filelike, blksize
        close = getattr(filelike, "close", None)
        if close is not None:
            self.close = close
    def __iter__(self):
        return self
    def __next__(self):
        block = self.filelike.read(self.blksize)
        if block:
            return block
        raise StopIteration

def plain_file(filelike):
    '''Descriptor and position of a file whose bytes are those that read() gives, otherwise None.'''
    file = getattr(filelike, "file", filelike) if type(filelike).__module__ == "tempfile" else filelike
    if isinstance(file, (io.BufferedReader, io.BufferedRandom)):
        if type(file.raw) is not io.FileIO:
            return None
        if isinstance(file, io.BufferedRandom):
            file.flush()
    elif type(file) is not io.FileIO:
        return None
    return (file.fileno(), file.tell()) if file.readable() else None

def take_arguments(words):
    sys.argv[:] = words.split(" ")

class CannotLoad(Exception):
    '''The message is the whole reason: nobody needs a traceback.'''

def add_path(directories, file):
    import os
    found = []
    for directory in directories:
        if "*" in directory or "?" in directory:
            import glob
            found += sorted(glob.glob(directory))
        else:
            found.append(directory)
    if file is not None:
        found.append(os.path.dirname(os.path.abspath(file)))
    found.append(os.getcwd())
    found = [os.path.abspath(one) for one in found]
    added = list(dict.fromkeys(found))
    sys.path[:] = added + [one for one in sys.path if one not in added]
    return added

def load_file(file):
    import importlib.machinery, importlib.util, os, re
    path = os.path.abspath(file)
    if not is_file(path):
        raise CannotLoad(f"there is no file {file}: correct the path given to --wsgi-file")
    stem = os.path.basename(path).split(".")[0]
    name = "wsgi_file_" + re.sub(r"\W", "_", stem)
    while name in sys.modules and getattr(sys.modules[name], "__file__", None) != path:
        name += "_"
    loader = (keep.Loader if keep else importlib.machinery.SourceFileLoader)(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module

# The module that has the application's files as they were when its generation was made, if they are kept.
keep = None

def use_kept(kept):
    global keep
    if keep is None:
        keep = type(sys)("_nsgi_keep")
        exec(compile(embedded("_nsgi_keep"), "<server>/keep.py", "exec"), keep.__dict__)
    keep.use(kept)

def is_file(path):
    import os
    return keep is not None and path in keep.files or os.path.isfile(path)

def split_file(file):
    '''A file, and the name of its callable: "blog.py:make('/x')".'''
    import os, re
    found = None if is_file(os.path.abspath(file)) else re.fullmatch(
        r"(.+?):([^\W\d]\w*(?:\.[^\W\d]\w*)*(?:\(.*\))?)", file, re.DOTALL)
    return found.groups() if found else (file, "")

# Applications that a zygote has loaded, until the workers that it forks take them.
preloaded = {}
# The working directory as those applications have left it.
there = None

def preload(*wanted):
    '''Loads an application for workers that are yet to be forked: returns None, or why that failed.'''
    import os
    own = os.getpid()
    try:
        found = load_now(*wanted)
        if os.getpid() != own:
            # A copy that the application has made meanwhile, which its caller ends.
            return None
        run_hooks()
    except BaseException as error:
        return error
    preloaded.setdefault((*wanted[:4], tuple(wanted[4])), []).append(found)

def settle():
    '''Runs in a forked worker: log, facts and reload are its own by now.'''
    import os
    told.worker_id, told.generation, told.version = facts
    try:
        if there is not None:
            os.chdir(there)
    except OSError as error:
        log(3, f"the directory {there} cannot be entered again: {error}\n".encode())

def load(module, file, callable_name, kept, directories):
    waiting = preloaded.get((module, file, callable_name, kept, tuple(directories)))
    return waiting.pop(0) if waiting else load_now(module, file, callable_name, kept, directories)

def load_now(module, file, callable_name, kept, directories):
    '''The application object, the directories that were added for it, and its name.'''
    import importlib
    served.clear()
    if kept is not None:
        use_kept(kept)
    path, name = split_file(file) if file is not None else (None, None)
    added = add_path(directories, path)
    if file is not None:
        found, where, option = load_file(path), path, "--wsgi-file"
    else:
        path, _, name = module.partition(":")
        try:
            found = importlib.import_module(path)
        except ModuleNotFoundError as error:
            if error.name == path or path.startswith(f"{error.name}."):
                raise CannotLoad(f"there is no module {error.name} in {sys.path}: correct -w, "
                                 "or add --pythonpath DIR") from None
            raise
        where, option = f"module {path}", "-w"
    name = name or callable_name or ""
    if not name and served:
        return served[-1], added, path
    name = name or "application"
    return resolve(found, name, where, path, option), added, f"{path}:{name}"

def parse_call(name, where):
    '''The dotted name of a factory, and its arguments, which are literals as in gunicorn's command line.'''
    import ast
    try:
        call = ast.parse(name, mode="eval").body
        parts, target = [], call.func
        while isinstance(target, ast.Attribute):
            parts.insert(0, target.attr)
            target = target.value
        arguments = [ast.literal_eval(one) for one in call.args]
        options = {one.arg: ast.literal_eval(one.value) for one in call.keywords}
        if None in options:
            raise ValueError
        return ".".join([target.id] + parts), arguments, options
    except (SyntaxError, ValueError, TypeError, AttributeError, RecursionError, MemoryError):
        raise CannotLoad(f"{name} of {where} is no call that can be made here: write a name and, in "
                         "brackets, literals such as create_app('prod', debug=True)") from None

def resolve(module, name, where, path, option):
    call = name.endswith(")")
    dotted, arguments, options = parse_call(name, where) if call else (name, (), {})
    target = module
    for part in dotted.split("."):
        try:
            target = getattr(target, part)
        except AttributeError:
            others = [one for one in ("application", "app", "wsgi") if callable(getattr(module, one, None))]
            fix = f"{path}:{others[0] if others else 'NAME'}"
            raise CannotLoad(f"{where} has no {part}: write {option} {fix}, or --callable NAME") from None
    if not callable(target):
        raise CannotLoad(f"{name} of {where} is a {type(target).__name__} and cannot be called")
    if call:
        import inspect
        try:
            inspect.signature(target).bind(*arguments, **options)
        except TypeError as error:
            raise CannotLoad(f"{name} of {where} does not fit its parameters: {error}") from None
        except ValueError:
            pass
        target = target(*arguments, **options)
        if not callable(target):
            kind = type(target).__name__
            raise CannotLoad(f"{name} of {where} returned a {kind}, which cannot be called")
    return target

def kind(target, wanted, name, option):
    '''Whether an application is "asgi" or "wsgi". Raises CannotLoad if neither, or not as wanted.'''
    shape = call_shape(target)
    if shape is not None and not shape[0] and shape[1] == 1:
        raise CannotLoad(f"{name} takes one argument, as applications of ASGI 2 do, and this server speaks "
                         "ASGI 3: give it as asgiref.compatibility.guarantee_single_callable(...), or take a "
                         "newer release of its framework")
    found = "asgi" if is_asgi(shape) else "wsgi"
    if wanted == "wsgi" and found == "asgi":
        raise CannotLoad(f"{name} is an ASGI application (it is a coroutine function, or takes scope, "
                         f"receive and send), and {option} asks for WSGI: write -w, which serves both, or "
                         "--asgi")
    if wanted == "asgi" and found == "wsgi" and shape is not None and shape[1] == 2:
        raise CannotLoad(f"{name} is a WSGI application (it is no coroutine function and takes two "
                         f"arguments), and {option} asks for ASGI: write -w, which serves both, or --wsgi")
    return wanted or found

def is_asgi(shape):
    '''Whether a callable of this shape is an ASGI 3 application.'''
    return shape is not None and (shape[0] or shape[1] == 3)

def call_shape(target):
    '''Whether a call gives a coroutine, and how many arguments it needs; None if it is not Python.'''
    import functools, types
    given = 0
    for _ in range(32):
        if isinstance(target, types.FunctionType):
            code = target.__code__
            is_coroutine = bool(code.co_flags & 0x80)
            if not is_coroutine and hasattr(target, "__wrapped__"):
                target = target.__wrapped__
                continue
            takes_any = code.co_flags & 0x04
            count = code.co_argcount - given - len(target.__defaults__ or ())
            return is_coroutine, -1 if takes_any else count
        if isinstance(target, functools.partial):
            given += len(target.args)
            target = target.func
        elif isinstance(target, types.MethodType):
            given += 1
            target = target.__func__
        elif isinstance(target, type):
            # If the object is awaited, the application is ASGI 3; if it is called again, ASGI 2.
            if hasattr(target, "__await__"):
                return True, 3
            called = call_shape(getattr(target, "__call__", None))
            start = getattr(target, "__init__", None)
            if isinstance(start, types.FunctionType) and called is not None and called[0]:
                return False, start.__code__.co_argcount - 1 - len(start.__defaults__ or ())
            return None
        elif hasattr(target, "__wrapped__"):
            target = target.__wrapped__
        else:
            target, given = type(target).__call__, given + 1
    return None

asgi = None

def serve_asgi(callable, name, settings):
    '''Serves an ASGI application; returns the object of serving.py that has it.'''
    global asgi
    if asgi is None:
        import types
        asgi = types.ModuleType("_nsgi_asgi")
        asgi.native, asgi.CannotLoad, asgi.place = own_module, CannotLoad, place
        asgi.describe, asgi.stack, asgi.awaiting = describe, stack, awaiting
        asgi.exit_status = exit_status
        for part in "copies", "messages", "exchange", "websocket", "serving", "led":
            exec(compile(embedded(f"_nsgi_asgi.{part}"), f"<server>/{part}.py", "exec"), asgi.__dict__)
    return asgi.serve(callable, name, settings)

def source(target):
    '''File and first line of what runs when an object is called; None if that is not Python.'''
    import functools, types
    for _ in range(32):
        if isinstance(target, types.FunctionType) and not hasattr(target, "__wrapped__"):
            return target.__code__.co_filename, target.__code__.co_firstlineno
        if isinstance(target, functools.partial):
            target = target.func
        elif isinstance(target, types.MethodType):
            target = target.__func__
        elif hasattr(target, "__wrapped__"):
            target = target.__wrapped__
        else:
            target = target.__init__ if isinstance(target, type) else type(target).__call__
    return None

def place(name, application, body):
    '''Describes the origin of an error without a traceback.'''
    frame = getattr(body, "gi_frame", None)
    found = (frame.f_code.co_filename, frame.f_lineno) if frame else source(application)
    return f'{name}, File "{found[0]}", line {found[1]}' if found else name

def patched():
    '''The library that has replaced Python's threads by its own.'''
    monkey, patcher = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    if monkey is not None and (monkey.is_module_patched("threading") or monkey.is_module_patched("thread")):
        return "gevent"
    if patcher is not None and patcher.is_monkey_patched("thread"):
        return "eventlet"
    return None

def add_packages(prefix):
    '''Adds packages of another prefix of this Python, before its own.'''
    import os, site
    before = list(sys.path)
    for folder in ("lib64", "lib"):
        place = os.path.join(prefix, folder, "python%d.%d" % sys.version_info[:2], "site-packages")
        if os.path.isdir(place):
            site.addsitedir(place)
    added = [one for one in sys.path if one not in before]
    first = next((i for i, one in enumerate(before) if one.endswith(("site-packages", "dist-packages"))),
                 len(before))
    sys.path[:] = before[:first] + added + before[first:]

def describe(error):
    '''A traceback for the log without the server's own frames, and one sentence.'''
    import traceback
    if isinstance(error, CannotLoad):
        return "", str(error)
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__") in (
            "_nsgi", "_nsgi_asgi", "_nsgi_keep", "importlib", "importlib._bootstrap",
            "importlib._bootstrap_external"):
        trace = trace.tb_next
    if keep is not None:
        keep.show_lines(trace)
    lines = traceback.format_exception(type(error), error, trace)
    return "".join(lines), "".join(traceback.format_exception_only(type(error), error)).strip()

def stack(thread):
    '''The stack of a thread, in the words of faulthandler. Imports nothing: another thread may be.'''
    frame, lines = sys._current_frames().get(thread), ["Stack (most recent call first):\n"]
    while frame is not None and len(lines) <= 100:
        code = frame.f_code
        lines.append(f'  File "{code.co_filename}", line {frame.f_lineno} in {code.co_name}\n')
        frame = frame.f_back
    return "".join(lines)

def task_stack(id):
    '''Where the task of an ASGI request is, or what it awaits, in the same words; else nothing.'''
    serving = asgi.serving if asgi is not None else None
    exchange = serving.exchanges.get(id) if serving is not None else None
    if exchange is not None and serving.stepping == id:
        return stack(serving.thread.ident)
    if exchange is None or exchange.task is None:
        return ""
    routine = exchange.task.get_coro()
    if getattr(routine, "cr_running", False):
        return stack(serving.thread.ident)
    return "".join(["Stack (most recent call first):\n"] + [
        f'  File "{one.f_code.co_filename}", line {one.f_lineno} in {one.f_code.co_name}\n'
        for one in reversed(awaiting(routine))])

def awaiting(routine):
    '''Frames of a coroutine that awaits another one, and so on; without those of the server.'''
    frames = []
    while routine is not None and len(frames) < 100:
        frame = getattr(routine, "cr_frame", None) or getattr(routine, "gi_frame", None)
        if frame is None:
            break
        frames.append(frame)
        routine = getattr(routine, "cr_await", None) or getattr(routine, "gi_yieldfrom", None)
    return [one for one in frames if one.f_globals.get("__name__") != "_nsgi_asgi"]

def exit_status(error):
    '''The status of a SystemExit, as the interpreter handles it at its own end.'''
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xff
    print(error.code, file=sys.stderr)
    return 1

def end():
    import atexit
    signals = sys.modules.get("_uwsgi_signals")
    if signals is not None:
        signals.end()
    hook = getattr(sys.modules.get("uwsgi"), "atexit", None)
    if callable(hook):
        try:
            hook()
        except BaseException:
            import traceback
            traceback.print_exc()
    try:
        atexit._run_exitfuncs()
    except BaseException:
        import traceback
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr, errors):
        try:
            stream.flush()
        except Exception:
            pass

served = []
hooks = []
fork_hooks = []

def make_module():
    '''The module `nsgi` as applications see it inside the server.'''
    import types
    module = types.ModuleType("nsgi", "What the server tells the Python applications that run in it.")
    module.worker_id, module.generation, module.version = facts
    def write(message, level="info"):
        '''Writes a line to the server's log; level: trace, debug, info, warning, error or fatal.'''
        levels = ("trace", "debug", "info", "warning", "error", "fatal")
        if level not in levels:
            raise ValueError(f"level {level!r} is none of {', '.join(levels)}")
        log(levels.index(level), str(message).encode("utf-8", "backslashreplace") + b"\n")
    def post_load(function):
        '''Decorator: call the function once, when the application is loaded.'''
        hooks.append(function)
        return function
    def post_fork(function):
        '''Decorator: call the function once in each worker, when the application is loaded and no more
        processes will be forked from this one. Start threads and connections here.'''
        fork_hooks.append(function)
        return function
    class WSGIServer:
        '''The application of a script that the server runs; elsewhere it hands over to the server.'''
        def __init__(self, application, *arguments, **options):
            self.application = application
        def run(self):
            served.append(self.application)
    write.__name__ = "log"
    module.log, module.WSGIServer = write, WSGIServer
    module.post_load, module.post_fork = post_load, post_fork
    sys.modules["nsgi"] = module
    return module

def run_hooks():
    '''Runs the functions that wait for the application and, unless workers are yet to be forked, those that
    wait for its process.'''
    for asked in (hooks, fork_hooks) if facts[0] is not None else (hooks,):
        waiting = asked[:]
        asked.clear()
        for hook in waiting:
            hook()

def watch(seconds, directories):
    '''Reloads when the file of a module of the application changes.'''
    development = type(sys)("_nsgi_development")
    exec(compile(embedded("_nsgi_development"), "<server>/development.py", "exec"), development.__dict__)
    development.watch(own_globals, seconds, directories)

def keep_threads_over_fork():
    '''A thread of the server is a dummy to threading. Before Python 3.13 a copy made by such a thread cannot
    shut threading down, so that multiprocessing reports its processes as failed.'''
    import _thread, os
    dummies = {}
    def before():
        threading = sys.modules.get("threading")
        if threading is not None:
            found = threading._active.get(_thread.get_ident())
            if isinstance(found, threading._DummyThread):
                dummies[_thread.get_ident()] = threading._active.pop(_thread.get_ident())
    def in_parent():
        found = dummies.pop(_thread.get_ident(), None)
        if found is not None:
            sys.modules["threading"]._active[_thread.get_ident()] = found
    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=dummies.clear)

class OwnModules:
    '''Finds modules that are embedded in the plugin, if the server offers them.'''
    names = ("uwsgi", "uwsgidecorators", "_uwsgi_shared", "_uwsgi_cache", "_uwsgi_table", "_uwsgi_signals",
             "_uwsgi_clock", "_uwsgi_absent")
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in cls.names or ("server.uwsgi", "true") not in globals().get("said", ()):
            return None
        from importlib.machinery import ModuleSpec
        return ModuleSpec(name, cls, origin="<server>")
    @staticmethod
    def create_module(spec):
        return None
    @staticmethod
    def exec_module(module):
        sys.modules["_nsgi"] = own_module
        code = compile(embedded(module.__name__), f"<server>/{module.__name__}.py", "exec")
        exec(code, module.__dict__)

own_module, own_globals = sys.modules.get("_nsgi"), globals()
# Before all other finders: a folder of that name is enough for them to find a module.
sys.meta_path.insert(0, OwnModules)
if sys.version_info < (3, 13):
    keep_threads_over_fork()
told = make_module()
