# What the workers of a server share, as the module `_uwsgi_shared`: memory that the master made before they
# started, and locks on bytes of it. The kernel releases the locks of a process when it ends, however it ends;
# its data is read with care, since it may have ended in the middle of a write.
import _nsgi
import errno
import fcntl
import mmap
import os
import struct
import threading
import time

PAGE = 4096
# Places in the memory (Sources/Control/SharedMemory.swift has the same): a row for each worker, signals for
# all of them, times at which handlers are due, and states seen by file monitors; then the caches.
ROWS, ROW, SEATS = PAGE, 64, 1024
BROADCASTS = ROWS + ROW * SEATS
BROADCAST_COUNT = 256
# In the same page: how many signals with each number are waiting.
WAITING = BROADCASTS + 2048
TIMERS = BROADCASTS + PAGE
MONITORS = TIMERS + 2 * PAGE
MINUTE = MONITORS + PAGE
FIRST_CACHE = MINUTE + PAGE
# Locks are on bytes far beyond the end of the memory: one number each.
USER_LOCKS, HANDLER_LOCKS, CACHE_LOCKS, CLOCK_LOCK, BROADCAST_LOCK = (1 << 40) + 0, (1 << 40) + 1024, \
    (1 << 40) + 2048, (1 << 40) + 4096, (1 << 40) + 4097


def told(key):
    '''The server's value for a key; None if there is none.'''
    return next((value for name, value in _nsgi.said if name == "server." + key), None)


def all_told(key):
    return [value for name, value in _nsgi.said if name == "server." + key]


def say(level, text):
    '''Writes a line of the server's log.'''
    levels = {"info": 2, "warning": 3, "error": 4}
    _nsgi.log(levels[level], text.encode("utf-8", "backslashreplace") + b"\n")


def open_memory():
    '''The descriptor and the memory: those of the server, otherwise ones of this process alone.'''
    wanted = max([FIRST_CACHE] + [int(one.split(" ")[0]) + int(one.split(" ")[1])
                                  for one in all_told("cache")])
    given = told("shared")
    if given is not None and os.fstat(int(given)).st_size >= wanted:
        descriptor = int(given)
    else:
        descriptor = os.memfd_create("uwsgi")
        os.ftruncate(descriptor, wanted)
    return descriptor, mmap.mmap(descriptor, os.fstat(descriptor).st_size)


def begin():
    '''The process is a worker: sets what it is, and what it shares with the others. Called again if it was
    forked from one that had loaded the application.'''
    global descriptor, owner, memory, inherited, workers, worker, is_supervised
    if owner == os.getpid():
        return
    inherited = memory
    (descriptor, memory), owner = open_memory(), os.getpid()
    os.set_inheritable(descriptor, False)
    # If the application is loaded before there are workers, this process is none of them: 0, as in uWSGI.
    workers, worker = int(told("workers") or 1), 0 if _nsgi.facts[0] is None else _nsgi.facts[0] + 1
    is_supervised = told("master") is not None
    if _nsgi.facts[0] is not None:
        begin_row()


descriptor, owner, memory, workers, worker, is_supervised = -1, 0, None, 1, 1, False
# The memory of the process that loaded the application before this one was forked; None if there is none.
inherited = None


class Lock:
    '''A lock between workers and between the threads of each. A process that ends releases it.'''
    everyone = []

    def __init__(self, place):
        self.place, self.own, self.owner = place, threading.Lock(), None
        Lock.everyone.append(self)

    def acquire(self, wait=True):
        '''Takes it; False if it is taken and wait is false.'''
        me = threading.get_ident()
        if wait and self.owner == me:
            raise RuntimeError("this thread holds the lock already, and would wait for itself")
        if not self.own.acquire(wait):
            return False
        is_taken = False
        try:
            is_taken = self.take(wait)
        finally:
            if is_taken:
                self.owner = me
            else:
                self.own.release()
        return is_taken

    def take(self, wait):
        while True:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, self.place)
                return True
            except OSError as error:
                if not wait and error.errno in (errno.EAGAIN, errno.EACCES):
                    return False
                # The kernel sees processes, not threads: two of them that wait for each other's locks in
                # different threads are not a deadlock.
                if error.errno != errno.EDEADLK:
                    raise
                time.sleep(0.002)

    def release(self):
        if not self.own.locked():
            raise RuntimeError("the lock is not held here")
        self.owner = None
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, self.place)
        self.own.release()

    def is_held(self):
        '''Whether anybody has it, in this worker or another.'''
        if not self.acquire(wait=False):
            return True
        self.release()
        return False

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *ignored):
        self.release()


def forget_threads():
    '''A copy of the process has one thread, and holds no lock.'''
    for one in Lock.everyone:
        one.own, one.owner = threading.Lock(), None


os.register_at_fork(after_in_child=forget_threads)

# Process id, how often the worker was replaced, when it began; then the server's own counts
# (Plugins/python3/Tally.swift): calls, running ones, failures, microseconds in all and of the last.
ROW_HEAD, ROW_COUNTS = struct.Struct("<IId"), struct.Struct("<QIIQQ")


def begin_row():
    '''Enters the worker into the list.'''
    place = ROWS + ROW * ((worker - 1) % SEATS)
    before, respawns, _ = ROW_HEAD.unpack_from(memory, place)
    if before == os.getpid():
        return
    memory[place:place + ROW] = bytes(ROW)
    ROW_HEAD.pack_into(memory, place, os.getpid(), respawns + 1 if before else 0, time.time())
    _nsgi.tally(descriptor, place)


def memory_of(pid):
    '''A process's resident bytes, and those of its address space; None if there is no such process.'''
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            words = file.read().split()
        return int(words[1]) * mmap.PAGESIZE, int(words[0]) * mmap.PAGESIZE
    except (OSError, IndexError, ValueError):
        return None


def describe_worker(number):
    '''What is known about a worker, under uWSGI's names.'''
    place = ROWS + ROW * (number - 1)
    pid, respawns, began = ROW_HEAD.unpack_from(memory, place)
    calls, busy, failures, micros, last = ROW_COUNTS.unpack_from(memory, place + ROW_HEAD.size)
    size = memory_of(pid) if pid else None
    if size is None:
        pid, busy, size = 0, 0, (0, 0)
    status = b"cheap" if not pid else b"busy" if busy else b"idle"
    return {
        "id": number, "pid": pid, "requests": calls, "delta_requests": calls, "exceptions": failures,
        "signals": 0, "status": status, "rss": size[0], "vsz": size[1], "running_time": micros,
        "last_spawn": int(began) if 0 < began < 1e11 else 0, "respawn_count": respawns + (1 if pid else 0),
        "avg_rt": micros // calls if calls else 0, "apps": [],
    }


def total_requests():
    places = range(ROWS, ROWS + ROW * min(workers, SEATS), ROW)
    return sum(ROW_COUNTS.unpack_from(memory, place + ROW_HEAD.size)[0] for place in places)


begin()
# If nothing is forked after the application is loaded, this is the same moment.
at_fork = getattr(_nsgi, "fork_hooks", _nsgi.hooks)
at_fork.append(begin)
