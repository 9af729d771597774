# Run by `server check` in the Python that would serve an application, to inspect it: appended to worker.py,
# with the text of bootstrap.py (empty: no code of the application runs), module, file, callable, "wsgi" or
# "asgi" and the option that asks for it, and directories. Findings go to descriptor 3, one per line: a name,
# a tab, a value with tabs and line ends escaped.
#
# Without loading, the module is found as an import would find it, and its source is read, as is that of
# modules from which it takes the application. Python runs here without the start-up code of packages.
import ast, os
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

report = os.fdopen(3, "w", encoding="utf-8", errors="backslashreplace")
INSIDE = "nsgi", "_nsgi", "uwsgi", "uwsgidecorators"
# Names of factories and classes whose results frameworks document as one or the other.
KNOWN = {"get_wsgi_application": "WSGI", "Flask": "WSGI", "Bottle": "WSGI", "default_app": "WSGI",
         "make_wsgi_app": "WSGI", "falcon.App": "WSGI", "falcon.API": "WSGI", "WsgiDAVApp": "WSGI",
         "get_asgi_application": "ASGI", "FastAPI": "ASGI", "Starlette": "ASGI", "Quart": "ASGI",
         "falcon.asgi.App": "ASGI", "Litestar": "ASGI", "Sanic": "ASGI"}


def tell(name, value):
    value = str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    report.write(f"{name}\t{value}\n")
    report.flush()


def shown(one):
    '''A character in a form that is safe for a terminal.'''
    if one in "\n\t" or one.isprintable():
        return one
    return "".join("\\x%02x" % byte for byte in one.encode("utf-8", "surrogatepass"))


def show(text):
    sys.__stderr__.write("".join(map(shown, text)))
    sys.__stderr__.flush()
    return True


class Refusal(Exception):
    '''Why the server would not start with it: one sentence.'''


class Unknown(Exception):
    '''Something that only running it tells.'''


# The directories of modules, without site.py's own start, which runs code.
def places():
    import site
    home = os.path.dirname(os.path.dirname(sys.executable))
    settings, prefixes = {}, [sys.prefix, sys.exec_prefix]
    try:
        with open(os.path.join(home, "pyvenv.cfg"), encoding="utf-8") as file:
            settings = dict(map(str.strip, line.lower().split("=", 1)) for line in file if "=" in line)
        prefixes = [home] + (prefixes if settings.get("include-system-site-packages") == "true" else [])
        tell("environment", home)
    except OSError:
        pass
    # Debian's site.py adapts to a virtual environment by the prefixes in sys.
    before, sys.base_prefix = sys.base_prefix, sys.base_prefix if not settings else ""
    found = site.getsitepackages(list(dict.fromkeys(prefixes)))
    sys.base_prefix = before
    if settings.get("include-system-site-packages", "true") == "true" and site.check_enableusersite():
        found.insert(0, site.getusersitepackages())
    return [one for one in found if os.path.isdir(one)]


def added(folder):
    '''The directories that *.pth files name there, and whether one of them runs code.'''
    found, runs = [], False
    for name in sorted(os.listdir(folder)):
        if name.endswith(".pth") and not name.startswith("."):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                for line in map(str.strip, file):
                    if line.startswith(("import ", "import\t")):
                        runs = True
                    elif line and not line.startswith("#"):
                        found.append(os.path.join(folder, line))
    return [one for one in found if os.path.isdir(one)], runs


def set_path(directories, file):
    import glob
    first, runs = [], False
    for one in directories:
        first += sorted(glob.glob(one)) if "*" in one or "?" in one else [one]
    if file:
        first.append(os.path.dirname(os.path.abspath(file)))
    first.append(os.getcwd())
    first += [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    rest = list(sys.path)
    for folder in places():
        more, runs_code = added(folder)
        rest, runs = rest + [folder] + more, runs or runs_code
    sys.path[:] = list(dict.fromkeys([os.path.abspath(one) for one in first] + rest))
    return runs


def find(name):
    '''The spec of a module; imports nothing for it, not even its packages.'''
    path, spec, whole = None, None, ""
    for part in name.split("."):
        whole = f"{whole}.{part}" if whole else part
        own = path is None and (BuiltinImporter.find_spec(whole) or FrozenImporter.find_spec(whole))
        spec = own or PathFinder.find_spec(whole, path)
        if spec is None:
            return None
        path = spec.submodule_search_locations or []
    return spec


sources = {}


def read(path):
    if path not in sources:
        with open(path, "rb") as file:
            text = file.read()
        try:
            compile(text, path, "exec")
            sources[path] = ast.parse(text, path)
        except (SyntaxError, ValueError, RecursionError) as error:
            line = getattr(error, "lineno", None)
            raise Refusal(f"{path}{f':{line}' if line else ''} is no Python: {getattr(error, 'msg', error)}")
    return sources[path]


def statements(body):
    '''The statements that run when a module is imported, whichever way it goes.'''
    for one in body:
        yield one
        for name in "body", "orelse", "handlers", "finalbody", "cases":
            if not isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield from statements(getattr(one, name, None) or [])


def check_imports(tree, path, runs):
    '''A plain import of a module that does not exist ends the load.'''
    for one in tree.body:
        names = [alias.name for alias in one.names] if isinstance(one, ast.Import) else \
            [one.module] if isinstance(one, ast.ImportFrom) and not one.level else []
        for name in names:
            top = name.split(".")[0]
            if top not in INSIDE and find(top) is None:
                raise Refusal(f"{path}:{one.lineno} imports {name}, and there is no module {top} in "
                              f"{sys.executable}'s places: install it there, or name the environment with -H"
                              + (" (packages of that environment run code at Python's start, which may find "
                                 "it: --load tells)" if runs else ""))


def bind(tree, name):
    '''The last statement that binds this name in a module, and its value.'''
    found = None
    for one in statements(tree.body):
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and one.name == name:
            found = one
        elif isinstance(one, ast.Assign) and name in [getattr(to, "id", "") for to in one.targets]:
            found = one.value
        elif isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and one.target.id == name:
            found = one.value or found
        elif isinstance(one, (ast.Import, ast.ImportFrom)):
            if name in [alias.asname or alias.name.split(".")[0] for alias in one.names]:
                found = one
    return found


def says_more(tree):
    '''Whether names may have other sources than statements.'''
    return any(isinstance(one, ast.ImportFrom) and one.names[0].name == "*"
               or isinstance(one, ast.FunctionDef) and one.name == "__getattr__"
               or isinstance(one, ast.Call) and getattr(one.func, "id", "") in ("globals", "exec", "setattr")
               for one in ast.walk(tree))


def dotted(node):
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def kind(tree, name, spec, where, depth=0):
    '''WSGI or ASGI; raises the reason if it is known to be wrong.'''
    node = bind(tree, name)
    if node is None:
        if says_more(tree):
            raise Unknown(f"{name} may come from another module, or from code that sets it")
        others = [one for one in ("application", "app", "wsgi", "asgi") if bind(tree, one) is not None]
        raise Refusal(f"{where} has no {name}: name what it has, as in "
                      f"{where.rpartition(' ')[2]}:{others[0] if others else 'NAME'}")
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return imported(node, name, spec, depth)
    return kind_of(node, tree, name, spec, where, depth)


def kind_of(node, tree, name, spec, where, depth):
    if depth > 16:
        raise Unknown(f"{name} is found in circles")
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        if getattr(node, "decorator_list", None):
            raise Unknown(f"{name} is what a decorator makes of it")
        return kind_of_function(node, name, where, 0)
    if isinstance(node, ast.ClassDef):
        return "WSGI"
    if isinstance(node, ast.Name):
        return kind(tree, node.id, spec, where, depth + 1)
    if isinstance(node, ast.Call):
        called = dotted(node.func)
        if called in KNOWN or called.rpartition(".")[2] in KNOWN:
            return KNOWN.get(called) or KNOWN[called.rpartition(".")[2]]
        made = bind(tree, called) if isinstance(node.func, ast.Name) else None
        if isinstance(made, ast.ClassDef):
            call = next((one for one in made.body if getattr(one, "name", "") == "__call__"), None)
            if call is not None:
                return kind_of_function(call, name, where, 1)
            if not made.bases:
                raise Refusal(f"{name} of {where} is a {called} and cannot be called")
        raise Unknown(f"{name} is what {called}() returns")
    if isinstance(node, (ast.Constant, ast.List, ast.Dict, ast.Tuple, ast.Set, ast.JoinedStr)):
        value = type(node.value) if isinstance(node, ast.Constant) else type(node)
        raise Refusal(f"{name} of {where} is of the kind {value.__name__.lower()} and cannot be called")
    raise Unknown(f"{name} is what an expression makes")


def kind_of_function(node, name, where, bound):
    if isinstance(node, ast.AsyncFunctionDef):
        return "ASGI"
    given = (node.args.posonlyargs + node.args.args)[bound:]
    least = len(given) - len(node.args.defaults)
    # As bootstrap.py recognises a function that is not a coroutine function, but returns a coroutine.
    if node.args.vararg is None and least == 3:
        return "ASGI"
    if node.args.vararg is None and not least <= 2 <= len(given):
        words = "one argument" if len(given) == 1 else f"{len(given)} arguments"
        raise Refusal(f"{name} of {where} takes {words}, and is called with two: environ and start_response")
    return "WSGI"


def imported(node, name, spec, depth):
    '''The same for a name from another module.'''
    alias = next(one for one in node.names if (one.asname or one.name.split(".")[0]) == name)
    if isinstance(node, ast.Import):
        raise Refusal(f"{name} is the module {alias.name}, which cannot be called")
    base = node.module or ""
    if node.level:
        package = spec.name if spec.submodule_search_locations is not None else spec.name.rpartition(".")[0]
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        base = f"{package}.{base}" if base else package
    found = find(base)
    if found is None or not (found.origin or "").endswith(".py") or depth > 16:
        raise Unknown(f"{name} comes from {base}")
    return kind(read(found.origin), alias.name, found, f"module {base}", depth + 1)


# Reading and loading.
def inspect_source(module, file, name, directories):
    runs = set_path(directories, file)
    if file:
        has_name = not os.path.isfile(file) and ":" in file
        path, _, own = file.rpartition(":") if has_name else (file, "", "")
        path = os.path.abspath(path)
        if not os.path.isfile(path):
            raise Refusal(f"there is no file {path}: correct the path")
        spec, where, name = None, path, own or name
    else:
        target, _, own = module.partition(":")
        spec, where, name = find(target), f"module {target}", own or name
        if spec is None:
            part = next(one for one in prefixes(target) if find(one) is None)
            raise Refusal(f"there is no module {part} in {sys.path}: correct its name, or add --pythonpath"
                          + (" (packages run code at Python's start, which may find it: --load tells)"
                             if runs else ""))
        path = spec.origin if spec.has_location else None
        for parent in prefixes(target)[:-1]:
            origin = find(parent).origin
            if origin and origin.endswith(".py"):
                check_imports(read(origin), origin, runs)
    tell("file", path or "none")
    if path is None or not path.endswith((".py", ".wsgi")) and not file:
        raise Unknown("it is no module in Python's own language")
    tree = read(path)
    check_imports(tree, path, runs)
    name = name or "application"
    tell("callable", name)
    base = name.partition("(")[0].partition(".")[0]
    if base != name:
        if bind(tree, base) is None and not says_more(tree):
            raise Refusal(f"{where} has no {base}")
        raise Unknown(f"{name} is found by running it")
    found = kind(tree, name, spec, where)
    if wanted and found.lower() != wanted:
        raise Refusal(f"{name} of {where} is an application of {found}, and {option} asks for "
                      f"{wanted.upper()}: write -w, which serves both, or --{found.lower()}")
    tell("interface", found)


def prefixes(name):
    parts = name.split(".")
    return [".".join(parts[:count + 1]) for count in range(len(parts))]


def load(code, module, file, name, directories):
    '''Loads it as a worker does, with the same error messages.'''
    import threading
    own = type(sys)("_nsgi")
    sys.modules["_nsgi"] = own
    own.log = lambda level, data: len(data) if show(bytes(data).decode("utf-8", "replace")) else 0
    own.facts, own.said, own.reload = (0, 1, "check"), [], lambda path: None
    exec(compile(code, "<server>", "exec"), own.__dict__)
    before = set(threading.enumerate())
    tell("at", "load")
    try:
        target, _, called = own.load_now(module or None, file or None, name or None, None, directories)
        own.run_hooks()
    except BaseException as error:
        # This file's frame is of no use to anybody.
        trace, sentence = own.describe(error.with_traceback(error.__traceback__.tb_next))
        show(trace)
        raise Refusal(f"importing it failed with {sentence}" if trace else sentence)
    tell("callable", called.rpartition(":")[2])
    tell("object", f"{type(target).__module__}.{type(target).__qualname__}")
    found = getattr(sys.modules.get((module or "").partition(":")[0]), "__file__", None)
    tell("file", found or os.path.abspath((file or "none").partition(":")[0]))
    try:
        if wanted:
            own.kind(target, wanted, called, option)
    except own.CannotLoad as error:
        raise Refusal(error)
    tell("interface", "ASGI" if wanted == "asgi" else interface(own, target))
    started = [one.name for one in threading.enumerate() if one not in before and one.is_alive()]
    if started:
        tell("remark", f"it starts the thread {started[0]!r} while it is loaded: --preload refuses it")


def interface(own, target):
    '''Decides as a worker does; whether a WSGI application can be called, a worker sees only with the first
    request.'''
    import inspect
    if own.is_asgi(own.call_shape(target)):
        return "ASGI"
    try:
        inspect.signature(target).bind({}, None)
    except TypeError as error:
        raise Refusal(f"it cannot be called with environ and start_response: {error}")
    except ValueError:
        pass
    return "WSGI"


code, module, file, name, wanted, option, *directories = sys.argv[1:]
own = os.getpid()
tell("python", sys.executable)
tell("release", sys.version.split()[0])
try:
    if code:
        load(code, module, file, name, directories)
    else:
        inspect_source(module, file, name, directories)
except Refusal as error:
    tell("reason", error)
except Unknown as error:
    tell("unknown", error)
if os.getpid() == own:
    tell("end", "")
    report.flush()
os._exit(0)
