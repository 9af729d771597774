# What the interpreter's program runs after worker.py if applications are loaded before there are workers: it
# loads them, once, and forks a worker at each order of the master. No part of the server is in this process:
# a worker loads its library after the fork. Everything that an application may replace is saved before.
import _signal, _socket, _thread, gc, os, posix
from time import gmtime, sleep, strftime

CONTROL, PAPER = 3, 4
HELD = "/proc/self/fd/"
SIGNALS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGQUIT, _signal.SIGHUP, _signal.SIGUSR1)
LEVELS = "trace", "debug", "info", "warning", "error", "critical"

# The log, as the server writes it.
pending = {}

def log(level, data):
    *lines, rest = (pending.pop(level, b"") + bytes(data)).split(b"\n")
    if rest:
        pending[level] = rest
    for line in lines:
        say(level, line)
    return len(data)

def say(level, line):
    if line and level >= 2:
        text = "".join(one if one == "\t" or one.isprintable() else escaped(one)
                       for one in line.decode("utf-8", "backslashreplace"))
        line = f"{strftime('%Y-%m-%dT%H:%M:%SZ', gmtime())} {LEVELS[level]}: {text}\n"
        posix.write(2, line.encode("utf-8", "backslashreplace"))

def escaped(one):
    return "".join("\\x%02x" % byte for byte in one.encode("utf-8", "surrogatepass"))

def flush():
    for level, line in list(pending.items()):
        say(level, line)
    pending.clear()

# Messages to the master.
def tell(verb, **fields):
    text = verb + "\0" + "".join(f"{name}={value}\0" for name, value in fields.items())
    link.send(text.encode("utf-8", "backslashreplace"))

def fail(target, reason):
    flush()
    # As much as a library's load() may report.
    reason = reason.replace("\0", "").encode("utf-8", "backslashreplace")[:1022]
    reason = reason.decode("utf-8", "ignore").rstrip()
    tell("failed", reason=f"application cannot be loaded: {target} cannot start: {reason}", code=22)
    posix._exit(22)

def entitle(words):
    '''Shows words in process lists, in place of this text.'''
    try:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        start, end = int(fields[45]), int(fields[46])
        text = words[1:] if words.startswith(" ") else f"{sys.executable} {words}"
        text = text.encode("utf-8", "surrogateescape")[:end - start - 2]
        memory = posix.open("/proc/self/mem", posix.O_WRONLY)
        # Without a zero at the end, the kernel shows everything before the first one.
        posix.pwrite(memory, text.ljust(end - start - 1, b"\0") + b" ", start)
        posix.close(memory)
    except OSError:
        pass

# Functions for os.register_at_fork: a worker is forked by an intermediate process that ends at once, in which
# none of them should run.
hooks, isServing = [], False

def watch_forks():
    register = os.register_at_fork
    def guarded(function):
        return (lambda: function() if isServing else None) if callable(function) else function
    def register_at_fork(**functions):
        register(**{when: guarded(function) for when, function in functions.items()})
        hooks.append(functions)
    os.register_at_fork = register_at_fork

def run_hooks(when, functions):
    for function in functions:
        try:
            function.get(when, bool)()
        except BaseException as error:
            log(4, f"a function of os.register_at_fork failed: {describe(error)[1]}\n".encode())

# Loading.
def describe(error):
    return bootstrap.describe(error)

def load(module, file, name, kept, path):
    target, own = module or file, posix.getpid()
    error = bootstrap.preload(module or None, file or None, name or None, kept or None, path)
    trace, sentence = describe(error) if error is not None else ("", "")
    if posix.getpid() != own:
        leave_copy(error, trace)
    if error is not None:
        log(4, trace.encode("utf-8", "backslashreplace"))
        fail(target, f"importing it failed with {sentence}" if trace else sentence)
    names = threads()
    if names:
        fail(target, f"it has started the thread {names[0]} while it was loaded, which no forked worker has: "
             "start it in a function that has the decorator nsgi.post_fork, or have each worker load the "
             "application itself (--lazy-apps)")

def leave_copy(error, trace):
    '''The application has forked, and this is its copy.'''
    status = 0 if error is None else bootstrap.exit_status(error) if isinstance(error, SystemExit) else 1
    if status == 1 and not isinstance(error, SystemExit):
        log(4, trace.encode("utf-8", "backslashreplace"))
    flush()
    posix._exit(status)

def threads():
    '''Names of threads besides this one that do not end within a second.'''
    for _ in range(20):
        threading = sys.modules.get("threading")
        names = []
        if threading is not None and bootstrap.patched() is None:
            names = [one.name for one in threading.enumerate() if one is not threading.main_thread()]
        if not names and _thread._count() == 0:
            return []
        sleep(0.05)
    return [repr(one) for one in names] or ["of _thread.start_new_thread(), which has no name,"]

# Forking.
def fork(words, descriptors):
    '''Returns True in the worker, once it is a child of the master and has said so.'''
    global isServing
    between = quietly(posix.fork)
    if between:
        if between > 0:
            posix.waitpid(between, 0)
        return False
    between = posix.getpid()
    run_hooks("before", reversed(hooks))
    # A library may have replaced this function by its own.
    if quietly(os.fork):
        posix._exit(0)
    while posix.getppid() == between:
        sleep(0.0002)
    link.detach()
    for place, descriptor in enumerate(descriptors, 1):
        posix.dup2(descriptor, place)
        posix.close(descriptor)
    posix.closerange(len(descriptors) + 1, places)
    own = _socket.socket(fileno=CONTROL)
    own.send(b"forked\0")
    own.detach()
    entitle(words)
    for number in SIGNALS:
        if _signal.getsignal(number) is heed_nothing:
            isInterrupt = number == _signal.SIGINT
            _signal.signal(number, _signal.default_int_handler if isInterrupt else _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
    os.register_at_fork, isServing = register_at_fork, True
    run_hooks("after_in_child", hooks)
    flush()
    return True

def quietly(function):
    '''Forks without a warning about libraries' threads that are not Python's; -1 if there is no process.'''
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return function()
        except OSError as error:
            log(4, f"no worker can be forked: {error}\n".encode())
            return -1

def orders():
    '''Receives the next order: the worker's name, and its descriptors. Ends with the master.'''
    while True:
        data, extra, _, _ = link.recvmsg(65536, _socket.CMSG_SPACE(253 * 4), _socket.MSG_CMSG_CLOEXEC)
        if not data:
            posix._exit(0)
        descriptors = []
        for level, kind, words in extra:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                descriptors += [int.from_bytes(words[at:at + 4], sys.byteorder)
                                for at in range(0, len(words) - 3, 4)]
        verb, *fields = data.decode("utf-8", "replace").split("\0")
        if verb == "fork":
            return " ".join(one[5:] for one in fields if one.startswith("word=")), descriptors
        for descriptor in descriptors:
            posix.close(descriptor)

def heed_nothing(number, frame):
    '''The master ends this process.'''

for number in SIGNALS:
    if _signal.getsignal(number) != _signal.SIG_IGN:
        _signal.signal(number, heed_nothing)
link = _socket.socket(fileno=CONTROL)
link.setblocking(True)
entitle(" ".join(sys.argv[1:]))
# A file in memory: everybody may read a command line, and it has no room for a long configuration.
with open(PAPER, "rb") as paper:
    paper.seek(0)
    rest = iter([os.fsdecode(one) for one in paper.read().split(b"\0")[:-1]])
library, code = os.path.abspath(next(rest)), os.fsencode(next(rest))
said, modules = ([(next(rest), next(rest)) for _ in range(int(next(rest)))] for _ in range(2))
places = int(next(rest))
wanted = [[next(rest) for _ in range(int(count))] for count in rest]
# The library may be a file that the master holds: its descriptor, and those that an application opens, must
# be above those that its workers get.
held = int(library[len(HELD):]) if library.startswith(HELD) else -1
null = posix.open("/dev/null", posix.O_RDWR)
for place in range(CONTROL + 1, places):
    if place not in (null, held):
        posix.dup2(null, place, inheritable=False)
if null >= places:
    posix.close(null)
if 0 <= held < places:
    library = f"{HELD}{posix.dup(held)}"
    posix.dup2(CONTROL + 1, held, inheritable=False)
bootstrap = type(sys)("_nsgi")
sys.modules["_nsgi"] = bootstrap
bootstrap.log, bootstrap.reload = log, heed_nothing
# There is no request yet, and nobody who could be asked for a reload.
bootstrap.renew = bootstrap.note = bootstrap.harakiri = bootstrap.tally = lambda *_: False
bootstrap.noted = lambda *_: None
bootstrap.facts = None, int(wanted[0][0]), wanted[0][1]
# What the plugin would provide, until it is loaded itself.
bootstrap.said = said
bootstrap.embedded = lambda name: os.fsencode(dict(modules)[name])
exec(compile(code, "<server>", "exec"), bootstrap.__dict__)
bootstrap.take_arguments(" ".join(["server"] + wanted[0][2].split()))
home, register_at_fork = posix.getcwd(), os.register_at_fork
watch_forks()
for _, _, _, module, file, name, kept, *path in wanted:
    load(module, file, name, kept, path)
flush()
mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
bootstrap.there = posix.getcwd()
gc.collect()
gc.freeze()
tell("ready")
own = posix.getpid()
try:
    while True:
        words, descriptors = orders()
        if fork(words, descriptors):
            break
        for descriptor in descriptors:
            posix.close(descriptor)
    sys.modules["_nsgi"] = bootstrap
    posix.chdir(home)
except BaseException as error:
    # The master is gone, or a descriptor is.
    who = "zygote" if posix.getpid() == own else "worker"
    log(4, f"the {who} ends: {describe(error)[1]}\n".encode("utf-8", "backslashreplace"))
    posix._exit(1)
serve(library)
