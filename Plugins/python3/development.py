# For development only: saved files are served. bootstrap.py runs this text only in the first worker, with
# --py-autoreload, --watch and --debug.
#
# The kernel reports changes in the directories of modules; an additional look every few seconds finds what it
# does not report: changes on other machines' file systems, and new directories.
import os, select, sys, threading, time

# Seconds without a further change after which a save counts as complete, and the most in all: an editor
# writes another file and renames it, a tool saves many files.
QUIET, LONGEST = 0.01, 0.1


def watch(server, seconds, directories):
    if server["facts"][0] == 0 and not any(one.name == "nsgi-autoreload" for one in threading.enumerate()):
        own = tuple(one.rstrip("/") + "/" for one in directories)
        threading.Thread(target=keep_watch, args=(server, seconds, own), name="nsgi-autoreload",
                         daemon=True).start()


def keep_watch(server, seconds, own):
    known, changes = stamps(own), -1
    if server["keep"] is not None:
        # Files saved since they were copied are not the ones that run.
        known.update({path: None for path in server["keep"].changed() if path in known})
    while True:
        changes = notice(server, changes, {os.path.dirname(path) for path in known})
        wait(changes, seconds)
        now = stamps(own)
        changed = [path for path, stamp in now.items() if known.get(path, stamp) != stamp]
        known = {**known, **now}
        if changed and all([is_python(server, path) for path in changed if path.endswith(".py")]):
            server["reload"](changed[0])


def stamps(own):
    '''The application's modules, with the states of their files, for comparison.'''
    found = {}
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.startswith(own):
            try:
                status = os.stat(path)
                found[path] = status.st_mtime_ns, status.st_size, status.st_ino
            except OSError:
                pass
    return found


def notice(server, changes, directories):
    '''Has the kernel report changes there, even in directories that are already watched: one may have been
    replaced by now.'''
    for directory in directories:
        changes = server["notice"](changes, os.fsencode(directory))
    return changes


def wait(changes, seconds):
    '''Returns soon after something was saved, or when the time is up.'''
    if changes < 0:
        return time.sleep(seconds)
    poll = select.poll()
    poll.register(changes, select.POLLIN)
    if not poll.poll(seconds * 1000):
        return
    end = time.monotonic() + LONGEST
    while True:
        try:
            os.read(changes, 65536)
        except OSError:
            pass
        if not poll.poll(QUIET * 1000) or time.monotonic() > end:
            return


def is_python(server, path):
    try:
        with open(path, "rb") as file:
            compile(file.read(), path, "exec")
        return True
    except FileNotFoundError:
        return True
    except Exception as error:
        text = f"{path} has changed and is not loaded: {error}\n"
        server["log"](3, text.encode("utf-8", "backslashreplace"))
        return False
