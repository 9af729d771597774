# Timers, cron and file monitors, as the module `_uwsgi_clock`: they raise signals. One worker has the clock,
# by holding a kernel lock: when it leaves another one goes on, from times in the shared memory.
import os
import struct
import time
from binascii import crc32

import _nsgi
import _uwsgi_shared as shared
import _uwsgi_signals as signals
from _uwsgi_shared import CLOCK_LOCK, MINUTE, MONITORS, TIMERS, Lock, say
from _uwsgi_signals import checked

# When a timer is due, on the machine's clock; its period, how often it still has to come, its signal (from
# 1), and the build of the application.
TIMER, TIMER_SIZE, TIMER_COUNT = struct.Struct("<ddIII"), 32, 256
# What a monitor watches, and what it last saw, as checksums.
MONITOR, MONITOR_COUNT = struct.Struct("<II"), 256
MINUTE_PLACE = struct.Struct("<q")
# Minutes by which the clock may be set back before it counts as a correction; the master's programs have the
# same (Sources/Master/Programs/Minutes.swift).
LONGEST_STEP_BACK = 180
# Seconds between two attempts to get the clock, and between the clock's looks at files.
LOOK = 1.0

timers, crons, monitors = [], [], []
clock_lock = Lock(CLOCK_LOCK)


def check_seconds(seconds):
    seconds = float(seconds)
    if not 0 < seconds < 1e9:
        raise ValueError("a timer takes at least a second")
    return max(seconds, 1.0)


def add(entries, most, entry, what):
    if len(entries) >= most:
        raise ValueError(f"{most} {what} are the most")
    entries.append(entry)
    signals.start(2)


def add_timer(number, seconds, iterations=0):
    iterations = int(iterations)
    if not 0 <= iterations < 1 << 31:
        raise ValueError("a timer comes so often, or with 0 for ever")
    entry = checked(number), check_seconds(seconds), iterations
    add(timers, TIMER_COUNT, entry, "timers")


def add_cron(number, *fields):
    bounds = (0, 59, "minute"), (0, 23, "hour"), (1, 31, "day"), (1, 12, "month"), (0, 7, "weekday")
    if len(fields) != 5:
        raise TypeError("a cron has minute, hour, day, month and weekday")
    for value, (least, most, name) in zip(fields, bounds):
        if isinstance(value, bool) or not isinstance(value, int) or not -most <= value <= most \
                or -1 < value < least:
            raise ValueError(f"{value!r} is no {name}: write a number from {least} to {most}, -1 for any, or "
                             "-N for each that N divides")
    add(crons, 1024, (checked(number), fields), "crons")


def add_monitor(number, path):
    add(monitors, MONITOR_COUNT, (checked(number), os.path.abspath(os.fsdecode(path))), "file monitors")


def keep_time():
    '''Waits until this worker has the clock; then raises all signals that are due.'''
    while not clock_lock.acquire(wait=False):
        if signals.is_leaving.wait(LOOK):
            return
    looked = 0.0
    while not signals.is_leaving.is_set():
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
        signals.is_leaving.wait(min(max(due - time.monotonic(), 0.01), 0.5))
    clock_lock.release()


def ring(number):
    '''A handler that still runs is not called again by the clock.'''
    if not signals.is_busy(number):
        signals.send(number)


def ring_timers(now):
    '''When the next one is due.'''
    following = now + LOOK
    for index, (number, seconds, iterations) in enumerate(list(timers)):
        place = TIMERS + TIMER_SIZE * index
        due, period, left, signal, built = TIMER.unpack_from(shared.memory, place)
        # It belongs to another timer, to an earlier boot of the machine, or to nobody.
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
    '''Whether a cron should run in a minute. As in cron: if both day and weekday are given, one of them is
    enough.'''
    def one(field, value):
        return field == -1 or (value % -field == 0 if field < -1 else field == value)
    minute, hour, day, month, weekday = fields
    if not (one(minute, now.tm_min) and one(hour, now.tm_hour) and one(month, now.tm_mon)):
        return False
    is_day = one(day, now.tm_mday)
    is_weekday = one(0 if weekday == 7 else weekday, (now.tm_wday + 1) % 7)
    return is_day and is_weekday if -1 in (day, weekday) else is_day or is_weekday


def ring_crons():
    '''Runs once a minute in the worker that has the clock; a minute to which the clock is set back does not
    count again.'''
    now = time.time()
    minute, last = int(now // 60), MINUTE_PLACE.unpack_from(shared.memory, MINUTE)[0]
    if last - LONGEST_STEP_BACK <= minute <= last:
        return
    MINUTE_PLACE.pack_into(shared.memory, MINUTE, minute)
    # The minute in which the server starts has begun before it.
    if last:
        for number, fields in list(crons):
            if fits(fields, time.localtime(now)):
                ring(number)


def stamp(path):
    '''A value that differs between states of a file, or of a directory with its files.'''
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


signals.lives.append((keep_time, "uwsgi-clock"))
