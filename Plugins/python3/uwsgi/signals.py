# Signals between workers, as the module `_uwsgi_signals`.
#
# A signal is a byte in a pipe that all workers share: the first free one takes it and runs the handler, on a
# thread of its own beside requests; the handler of one number runs in one worker at a time. Signals that come
# meanwhile are counted in the shared memory, and a worker that has run the handler looks there before
# anything else: nobody waits for it, and none is lost with a worker. Signals for all workers, or for one of
# them, are in a ring in the shared memory.
import os
import select
import struct
import sys
import threading
import time

import _nsgi
import _uwsgi_shared as shared
from _uwsgi_shared import (BROADCAST_COUNT, BROADCAST_LOCK, BROADCASTS, HANDLER_LOCKS, SEATS, WAITING, Lock,
                           say, told)

EVERYBODY = 0xffff
RING, SEQUENCE = struct.Struct("<HH"), struct.Struct("<Q")
# How many signals with a number wait, and how many may.
COUNT, MOST_WAITING = struct.Struct("<I"), 1 << 16
NONE_WAITING = bytes(256 * COUNT.size)
# When the worker began to leave, as the plugin writes it: nanoseconds of the machine's clock.
LEFT = struct.Struct("<Q")

handlers = {}
running, strangers, complaints = set(), set(), set()
state = threading.Lock()
# The functions and names of the threads: this module's, and the clock's if it is wanted.
lives, threads_of = [], 0
# Both are set when the worker leaves: no more handlers are started; and none is running.
is_leaving, has_left = threading.Event(), threading.Event()
ring_lock = Lock(BROADCAST_LOCK)
handler_locks = {}

reading, writing, owner, serves, wanted_threads = -1, -1, 0, False, 0
leave_reading, left_at = -1, None


def checked(number):
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"a signal is a number, and {number!r} is none")
    if not 0 <= number <= 255:
        raise ValueError(f"a signal is a number from 0 to 255, and not {number}")
    return number


def checked_target(target):
    '''The recipient: None for the first free one, EVERYBODY, or the number of a worker.'''
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
    # All waiting workers wake; they read signals for several workers from the ring.
    try:
        os.write(writing, bytes([number]))
    except BlockingIOError:
        if target is None:
            complain(f"signal {number}", "the workers have too many that wait")


def complain(what, reason):
    '''Logs a line about a loss, once for each kind.'''
    if what not in complaints:
        complaints.add(what)
        say("warning", f"{what} is lost: {reason}; nothing is said of others")


def start(wanted):
    '''Starts the threads that this worker needs: 1 for signals, 2 for the clock too.'''
    global threads_of, wanted_threads
    with state:
        wanted_threads = max(wanted_threads, wanted)
        while serves and threads_of < min(wanted_threads, len(lives)):
            life, name = lives[threads_of]
            threading.Thread(target=life, name=name, daemon=True).start()
            threads_of += 1


def forget():
    '''A copy of the process has none of its threads, and receives nothing.'''
    global serves, state, threads_of, is_leaving, has_left
    serves, state, threads_of = False, threading.Lock(), 0
    is_leaving, has_left = threading.Event(), threading.Event()


def begin():
    '''Prepares the process as a worker.'''
    global reading, writing, owner, serves, leave_reading
    if owner == os.getpid():
        return
    owner, given = os.getpid(), told("signals")
    reading, writing = map(int, given.split(",")) if given else os.pipe()
    for end in reading, writing:
        os.set_blocking(end, False)
        os.set_inheritable(end, False)
    # A build on trial may register anything, but none of it runs.
    serves = told("serves") is not None
    if serves:
        leave_reading, end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        _nsgi.tell_leave(end)
    start(0)


# Receiving.


def hear():
    try:
        hear_signals()
        hand_on()
    finally:
        has_left.set()


def hear_signals():
    heard = SEQUENCE.unpack_from(shared.memory, BROADCASTS)[0]
    poll, is_busy_here = select.poll(), False
    poll.register(reading, select.POLLIN)
    poll.register(leave_reading, select.POLLIN)
    while not is_leaving.is_set():
        # Looks once a second for signals left by a worker that was killed.
        poll.poll(0 if is_busy_here else 1000)
        heard = hear_broadcasts(heard)
        if is_told_to_leave():
            break
        is_busy_here = run_waiting()
        try:
            byte = os.read(reading, 1)
        except (BlockingIOError, InterruptedError):
            continue
        if byte:
            is_busy_here = take(byte[0]) or is_busy_here

# Leaving: others take the signals and the clock.


def is_told_to_leave():
    '''Whether the worker leaves; any thread.'''
    global left_at
    try:
        words = os.read(leave_reading, LEFT.size)
    except (BlockingIOError, InterruptedError):
        words = b""
    if len(words) == LEFT.size:
        leave(LEFT.unpack(words)[0] / 1e9)
    return is_leaving.is_set()


def leave(now):
    global left_at
    left_at = now if left_at is None else left_at
    is_leaving.set()


def hand_on():
    '''Wakes another worker for each waiting number: that one does the rest.'''
    for number in waiting_numbers():
        if number in handlers and claim(number):
            try:
                os.write(writing, bytes([number]))
            except BlockingIOError:
                wait_for(number)


def end():
    '''At the worker's end: waits for a running handler, as long as requests are waited for.'''
    if not threads_of:
        return
    is_told_to_leave()
    leave(time.monotonic())
    if not has_left.wait(max(0.0, left_at + float(told("mercy") or 0) - time.monotonic())):
        names = ", ".join(str(number) for number in sorted(running))
        say("warning", f"the handler of signal {names} is cut off: it has not come to its end "
                       "(--worker-reload-mercy)")

# Waiting signals.


def count_of(number):
    return COUNT.unpack_from(shared.memory, WAITING + COUNT.size * number)[0]


def waiting_numbers():
    if shared.memory[WAITING:WAITING + len(NONE_WAITING)] == NONE_WAITING:
        return []
    return [number for number in range(256) if count_of(number)]


def wait_for(number):
    '''Counts one more, to be run later.'''
    with ring_lock:
        count = count_of(number)
        if count < MOST_WAITING:
            COUNT.pack_into(shared.memory, WAITING + COUNT.size * number, count + 1)
            return
    complain(f"signal {number}", f"{MOST_WAITING} of it wait already")


def claim(number):
    '''Takes a waiting one; False if there is none.'''
    with ring_lock:
        count = min(count_of(number), MOST_WAITING)
        if count:
            COUNT.pack_into(shared.memory, WAITING + COUNT.size * number, count - 1)
        return count > 0


def run_waiting():
    '''Runs one of each waiting number, unless another worker is running it; returns whether there was one.'''
    has_run = False
    for number in waiting_numbers():
        if is_told_to_leave():
            break
        if number in handlers and handler_locks[number].acquire(wait=False):
            try:
                if claim(number):
                    has_run = True
                    run(number)
            finally:
                handler_locks[number].release()
    return has_run

# Taking.


def hear_broadcasts(heard):
    '''Runs the signals that others have sent to this worker since; returns how far it has read.'''
    if SEQUENCE.unpack_from(shared.memory, BROADCASTS)[0] == heard:
        return heard
    with ring_lock:
        count = SEQUENCE.unpack_from(shared.memory, BROADCASTS)[0]
        first = max(heard, count - BROADCAST_COUNT) if heard <= count else count
        if heard < first < count:
            complain(f"a signal for worker {shared.worker}", f"more than {BROADCAST_COUNT} for workers came "
                     "while it was busy")
        said = [RING.unpack_from(shared.memory, BROADCASTS + 8 + 4 * (one % BROADCAST_COUNT))
                for one in range(first, count)]
    for number, target in said:
        if target in (EVERYBODY, shared.worker) and number in handlers:
            run(number)
    return count


def take(number):
    '''Runs the handler of a signal that this worker has received, unless another worker runs it: that one
    looks for more when it is done. Returns whether it has run.'''
    if number not in handlers:
        if number not in strangers:
            strangers.add(number)
            say("warning", f"signal {number} has no handler in worker {shared.worker}")
        return False
    if handlers[number][0] is not None:
        return False
    lock = handler_locks[number]
    if not lock.acquire(wait=False):
        wait_for(number)
        # The other one may have looked before this.
        if not lock.acquire(wait=False):
            return False
        if not claim(number):
            lock.release()
            return False
    try:
        run(number)
    finally:
        lock.release()
    return True


def run(number):
    running.add(number)
    process, status = os.getpid(), 0
    try:
        handlers[number][1](number)
    except BaseException as error:
        status = 1
        if isinstance(error, SystemExit) and os.getpid() != process:
            status = _nsgi.exit_status(error)
        else:
            import traceback
            say("error", f"the handler of signal {number} failed:\n" + traceback.format_exc())
    finally:
        running.discard(number)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        if os.getpid() != process:
            # A copy that the handler has made by os.fork() ends with it: going on, it would take signals that
            # are the workers'.
            os._exit(status)


def is_busy(number):
    '''Whether the handler of a signal is running anywhere.'''
    if number in running or count_of(number):
        return True
    lock = handler_locks.get(number)
    return lock is not None and lock.is_held()


lives.append((hear, "uwsgi-signals"))
os.register_at_fork(after_in_child=forget)
begin()
shared.at_fork.append(begin)
