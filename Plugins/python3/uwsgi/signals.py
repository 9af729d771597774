# Signals between workers, timers, cron and file monitors, as the module `_uwsgi_signals`.
#
# A signal is a byte in a pipe that all workers have: the first that is free takes it and runs the handler, on
# a thread of its own beside requests; the handler of one number runs in one worker at a time. Signals for
# all workers, or one of them, stand in a ring in the shared memory. The clock is with one worker, who holds a
# lock of the kernel's: when that one ends another goes on, from times that stand in the shared memory.
import collections
import os
import select
import struct
import sys
import threading
import time
from binascii import crc32

import _nsgi
import _uwsgi_shared as shared
from _uwsgi_shared import (BROADCAST_COUNT, BROADCAST_LOCK, BROADCASTS, CLOCK_LOCK, HANDLER_LOCKS, MINUTE,
                           MONITORS, SEATS, TIMERS, Lock, say, told)

EVERYBODY = 0xffff
RING, SEQUENCE = struct.Struct("<HH"), struct.Struct("<Q")
# When a timer is due, on the machine's clock; how long it takes, how often it is still to come, its signal
# (from 1), and the build of the application.
TIMER, TIMER_SIZE, TIMER_COUNT = struct.Struct("<ddIII"), 32, 256
# What a monitor watches, and what it saw last, as check sums.
MONITOR, MONITOR_COUNT = struct.Struct("<II"), 256
MINUTE_PLACE = struct.Struct("<q")
# Seconds between two looks of who waits for the clock, and of the clock itself at files.
LOOK = 1.0

handlers = {}
timers, crons, monitors = [], [], []
running, waiting, strangers = set(), collections.deque(maxlen=1024), set()
state = threading.Lock()
threads_of = 0
ring_lock, clock_lock = Lock(BROADCAST_LOCK), Lock(CLOCK_LOCK)
handler_locks = {}

reading, writing, owner, serves, wanted_threads = -1, -1, 0, False, 0


def checked(number):
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"a signal is a number, and {number!r} is none")
    if not 0 <= number <= 255:
        raise ValueError(f"a signal is a number from 0 to 255, and not {number}")
    return number


def checked_target(target):
    '''Who is meant: None for the first that is free, EVERYBODY, or the number of a worker.'''
    if isinstance(target, bytes):
        target = target.decode("utf-8", "replace")
    if target in (None, "", "worker", "worker0"):
        return None
    if target in ("workers", "active-workers"):
        return EVERYBODY
    if isinstance(target, str) and target.startswith("worker") and target[6:].isascii() \
            and target[6:].isdigit() and len(target) < 12:
        number = int(target[6:])
        if 1 <= number <= SEATS:
            return number
        raise ValueError(f"there is no {target}: workers are 1 to {SEATS}")
    for word in "mule", "farm", "spooler", "subscribed":
        if isinstance(target, str) and target.startswith(word):
            raise NotImplementedError(f"there is no {word} here that could take the signal; write worker, "
                                      "workers or worker1, or make it a program beside the server "
                                      "(attach-daemon)")
    raise ValueError(f"{target!r} is no target: write worker, workers or worker1")


def register(number, target, handler):
    if not callable(handler):
        raise TypeError("a handler is called, and this one cannot be")
    handlers[checked(number)] = checked_target(target), handler
    handler_locks.setdefault(number, Lock(HANDLER_LOCKS + number))
    start(1)


def send(number):
    '''Raises a signal.'''
    target = handlers[checked(number)][0] if number in handlers else None
    if target not in (None, EVERYBODY) and target > shared.workers:
        say("warning", f"signal {number} is for worker {target}, and there are {shared.workers}")
    elif target is not None:
        with ring_lock:
            count = SEQUENCE.unpack_from(shared.memory, BROADCASTS)[0]
            RING.pack_into(shared.memory, BROADCASTS + 8 + 4 * (count % BROADCAST_COUNT), number, target)
            SEQUENCE.pack_into(shared.memory, BROADCASTS, (count + 1) % (1 << 63))
    # All wake who wait; one for several workers is read in the ring.
    try:
        os.write(writing, bytes([number]))
    except BlockingIOError:
        if target is None:
            say("warning", f"signal {number} is lost: the workers have too many that wait")


def start(wanted):
    '''Has the threads that this worker needs: 1 for signals, 2 for the clock too.'''
    global threads_of, wanted_threads
    with state:
        wanted_threads = max(wanted_threads, wanted)
        while serves and threads_of < wanted_threads:
            life, name = ((hear, "uwsgi-signals"), (keep_time, "uwsgi-clock"))[threads_of]
            threading.Thread(target=life, name=name, daemon=True).start()
            threads_of += 1


def forget():
    '''A copy of the process has none of its threads, and hears nothing.'''
    global serves, state, threads_of
    serves, state, threads_of = False, threading.Lock(), 0


def begin():
    '''The process is a worker.'''
    global reading, writing, owner, serves
    if owner == os.getpid():
        return
    owner, given = os.getpid(), told("signals")
    reading, writing = map(int, given.split(",")) if given else os.pipe()
    for end in reading, writing:
        os.set_blocking(end, False)
        os.set_inheritable(end, False)
    # A build on trial registers what it likes, and nothing of it runs.
    serves = told("serves") is not None
    start(0)


os.register_at_fork(after_in_child=forget)
begin()
shared.at_fork.append(begin)

# Hearing.


def hear():
    heard = SEQUENCE.unpack_from(shared.memory, BROADCASTS)[0]
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    while True:
        poll.poll(50 if waiting else 1000)
        heard = hear_broadcasts(heard)
        for _ in range(len(waiting)):
            take(waiting.popleft())
        try:
            byte = os.read(reading, 1)
        except (BlockingIOError, InterruptedError):
            continue
        if byte:
            take(byte[0])


def hear_broadcasts(heard):
    '''Runs what others have said to this worker since; how far it has heard.'''
    if SEQUENCE.unpack_from(shared.memory, BROADCASTS)[0] == heard:
        return heard
    with ring_lock:
        count = SEQUENCE.unpack_from(shared.memory, BROADCASTS)[0]
        first = max(heard, count - BROADCAST_COUNT) if heard <= count else count
        said = [RING.unpack_from(shared.memory, BROADCASTS + 8 + 4 * (one % BROADCAST_COUNT))
                for one in range(first, count)]
    for number, target in said:
        if target in (EVERYBODY, shared.worker) and number in handlers:
            run(number)
    return count


def take(number):
    '''Runs the handler of a signal that this worker has got, unless another one does; then later.'''
    if number not in handlers:
        if number not in strangers:
            strangers.add(number)
            say("warning", f"signal {number} has no handler in worker {shared.worker}")
        return
    if handlers[number][0] is not None:
        return
    lock = handler_locks[number]
    if not lock.acquire(wait=False):
        waiting.append(number)
        return
    try:
        run(number)
    finally:
        lock.release()


def run(number):
    running.add(number)
    try:
        handlers[number][1](number)
    except BaseException:
        import traceback
        say("error", f"the handler of signal {number} failed:\n" + traceback.format_exc())
    finally:
        running.discard(number)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass


def is_busy(number):
    '''Whether the handler of a signal runs somewhere.'''
    if number in running or number in waiting:
        return True
    lock = handler_locks.get(number)
    return lock is not None and lock.is_held()

# The clock.


def check_seconds(seconds):
    seconds = float(seconds)
    if not 0 < seconds < 1e9:
        raise ValueError("a timer takes at least a second")
    return max(seconds, 1.0)


def add(entries, most, entry, what):
    if len(entries) >= most:
        raise ValueError(f"{most} {what} are the most")
    entries.append(entry)
    start(2)


def add_timer(number, seconds, iterations=0):
    iterations = int(iterations)
    if not 0 <= iterations < 1 << 31:
        raise ValueError("a timer comes so often, or with 0 for ever")
    entry = checked(number), check_seconds(seconds), iterations
    add(timers, TIMER_COUNT, entry, "timers")


def add_cron(number, *fields):
    bounds = (59, "minute"), (23, "hour"), (31, "day"), (12, "month"), (7, "weekday")
    if len(fields) != 5:
        raise TypeError("a cron has minute, hour, day, month and weekday")
    for value, (most, name) in zip(fields, bounds):
        if isinstance(value, bool) or not isinstance(value, int) or not -most <= value <= most:
            raise ValueError(f"{value!r} is no {name}: write a number to {most}, -1 for any, or -N for each "
                             "that N divides")
    add(crons, 1024, (checked(number), fields), "crons")


def add_monitor(number, path):
    add(monitors, MONITOR_COUNT, (checked(number), os.path.abspath(os.fsdecode(path))), "file monitors")


def keep_time():
    '''Waits until the clock is this worker's; then raises the signals of all that is due.'''
    while not clock_lock.acquire(wait=False):
        time.sleep(LOOK)
    looked = 0.0
    while True:
        now = time.monotonic()
        try:
            due = ring_timers(now)
            ring_crons()
            if not 0 <= now - looked < LOOK:
                looked = now
                look_at_files()
        except Exception as error:
            due = now + LOOK
            say("error", f"the clock: {error!r}")
        time.sleep(min(max(due - time.monotonic(), 0.01), 0.5))


def ring(number):
    '''A handler that still runs is not called again by the clock.'''
    if not is_busy(number):
        send(number)


def ring_timers(now):
    '''When the next one is due.'''
    following = now + LOOK
    for index, (number, seconds, iterations) in enumerate(list(timers)):
        place = TIMERS + TIMER_SIZE * index
        due, period, left, signal, built = TIMER.unpack_from(shared.memory, place)
        # Of another timer, of another life of the machine, or nobody's.
        if period != seconds or signal != number + 1 or not now - 10 * seconds <= due <= now + seconds:
            due, left = now + seconds, iterations
        elif iterations and built != _nsgi.facts[1]:
            left = iterations
        if iterations and not left:
            continue
        is_due = due <= now
        if is_due:
            due += seconds * (1 + (now - due) // seconds)
            left = max(0, left - 1)
        TIMER.pack_into(shared.memory, place, due, seconds, left, number + 1, _nsgi.facts[1])
        if is_due:
            ring(number)
        following = min(following, due)
    return following


def fits(fields, now):
    '''Whether a cron is to run in a minute. As in cron: of day and weekday one is enough where both are
    given.'''
    def one(field, value):
        return field == -1 or (value % -field == 0 if field < -1 else field == value)
    minute, hour, day, month, weekday = fields
    if not (one(minute, now.tm_min) and one(hour, now.tm_hour) and one(month, now.tm_mon)):
        return False
    is_day = one(day, now.tm_mday)
    is_weekday = one(0 if weekday == 7 else weekday, (now.tm_wday + 1) % 7)
    return is_day and is_weekday if -1 in (day, weekday) else is_day or is_weekday


def ring_crons():
    '''Once a minute, whoever has the clock then.'''
    now = time.time()
    minute, last = int(now // 60), MINUTE_PLACE.unpack_from(shared.memory, MINUTE)[0]
    if minute == last:
        return
    MINUTE_PLACE.pack_into(shared.memory, MINUTE, minute)
    # The minute in which the server starts has begun before.
    if last:
        for number, fields in list(crons):
            if fits(fields, time.localtime(now)):
                ring(number)


def stamp(path):
    '''What tells one state of a file or a directory with its files from another.'''
    def one(place):
        try:
            found = os.stat(place)
            return found.st_mtime_ns, found.st_size, found.st_ino
        except OSError:
            return None
    seen = [one(path)]
    try:
        seen += [(name, one(os.path.join(path, name))) for name in sorted(os.listdir(path))[:4096]]
    except OSError:
        pass
    return crc32(repr(seen).encode("utf-8", "backslashreplace"))


def look_at_files():
    for index, (number, path) in enumerate(list(monitors)):
        place = MONITORS + MONITOR.size * index
        name, before = MONITOR.unpack_from(shared.memory, place)
        now, own = stamp(path), crc32(os.fsencode(path)) or 1
        MONITOR.pack_into(shared.memory, place, own, now)
        if name == own and before != now:
            ring(number)
