# Tests of the module uwsgi without a server: the caches between processes that are killed, and over memory
# that anybody has written into; locks; times. Its argument is the folder of the files.
import errno
import importlib.machinery
import os
import random
import signal
import sys
import time
import types
import unittest

FILES = {"uwsgi": "module.py", "uwsgidecorators": "decorators.py", "_uwsgi_shared": "shared.py",
         "_uwsgi_cache": "cache.py", "_uwsgi_signals": "signals.py"}
FIRST = 90112
lines = []


def begin(folder):
    module = types.ModuleType("_nsgi")
    module.log = lambda level, data: lines.append(bytes(data).decode()) or len(data)
    module.facts, module.hooks, module.tally = (0, 1, "test"), [], lambda *_: True
    module.renew = lambda reason: False
    module.said = [("server.workers", "2"), ("server.uwsgi", "true"),
                   ("server.cache", f"{FIRST} 4096 10 64 32 0 small"),
                   ("server.cache", f"{FIRST + 4096} 20480 100 64 32 1 lru"),
                   ("server.opt", "processes=2"), ("server.opt", "a=b"), ("server.opt", "a=c"),
                   ("server.opt", "vacuum")]
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


class Places(unittest.TestCase):
    def test_the_first_cache_is_where_the_server_has_it(self):
        self.assertEqual(shared.FIRST_CACHE, FIRST)

    def test_options(self):
        self.assertEqual(uwsgi.opt["processes"], b"2")
        self.assertEqual(uwsgi.opt["a"], [b"b", b"c"])
        self.assertIs(uwsgi.opt["vacuum"], True)
        self.assertNotIn("master", uwsgi.opt)
        with self.assertRaisesRegex(RuntimeError, "leave out no-master"):
            uwsgi.reload()


class Caches(unittest.TestCase):
    def setUp(self):
        uwsgi.cache_clear()
        uwsgi.cache_clear("lru")

    def test_what_was_set_is_there(self):
        self.assertIs(uwsgi.cache_set("k", "v"), True)
        self.assertIs(uwsgi.cache_set("k", "w"), None)
        self.assertEqual(uwsgi.cache_get(b"k"), b"v")
        self.assertIs(uwsgi.cache_update("k", b"w\0"), True)
        self.assertEqual(uwsgi.cache_get("k"), b"w\0")
        self.assertIs(uwsgi.cache_exists("k"), True)
        self.assertIs(uwsgi.cache_del("k"), True)
        self.assertIs(uwsgi.cache_del("k"), None)
        self.assertIs(uwsgi.cache_exists("k"), None)
        self.assertIs(uwsgi.cache_get("k", "lru"), None)
        self.assertIs(uwsgi.cache_get("k", "no-such"), None)
        self.assertIn("there is no cache no-such", "".join(lines))

    def test_numbers(self):
        self.assertEqual(uwsgi.cache_num("n"), 0)
        self.assertIs(uwsgi.cache_inc("n", 5), True)
        uwsgi.cache_dec("n", 2)
        uwsgi.cache_mul("n", 4)
        uwsgi.cache_div("n", 3)
        self.assertEqual(uwsgi.cache_num("n"), 4)
        uwsgi.cache_mul("n", 1 << 62)
        self.assertEqual(uwsgi.cache_num("n"), 0)
        uwsgi.cache_set("text", "four")
        with self.assertRaisesRegex(ValueError, "is no number"):
            uwsgi.cache_inc("text")

    def test_a_full_cache_takes_nothing_or_what_was_used_least(self):
        for number in range(10):
            self.assertIs(uwsgi.cache_set(f"k{number}", str(number)), True)
        self.assertIs(uwsgi.cache_set("more", "x"), None)
        self.assertIn("the cache small is full", "".join(lines))
        self.assertIs(uwsgi.cache_update("k3", "y"), True)
        for number in range(100):
            uwsgi.cache_set(f"k{number}", str(number), 0, "lru")
        for number in range(50):
            uwsgi.cache_get(f"k{number}", "lru")
        for number in range(30):
            self.assertIs(uwsgi.cache_set(f"new{number}", "x", 0, "lru"), True)
        kept = uwsgi.cache_keys("lru")
        self.assertEqual(len(kept), 100)
        recent = sum(f"k{number}".encode() in kept for number in range(50))
        self.assertGreater(recent, sum(f"k{number}".encode() in kept for number in range(50, 100)))

    def test_what_has_expired_is_gone_and_makes_room(self):
        before = time.time
        try:
            for number in range(10):
                uwsgi.cache_set(f"k{number}", "x", 5 if number else 0)
            time.time = lambda: before() + 6
            self.assertIs(uwsgi.cache_get("k1"), None)
            self.assertEqual(uwsgi.cache_keys(), [b"k0"])
            for number in range(9):
                self.assertIs(uwsgi.cache_set(f"later{number}", "x"), True)
        finally:
            time.time = before

    def test_a_process_that_is_killed_leaves_a_cache_in_order(self):
        for turn in range(25):
            pid = os.fork()
            if not pid:
                random.seed(turn)
                while True:
                    key = f"k{random.randrange(60)}"
                    if random.random() < 0.7:
                        uwsgi.cache_update(key, key * random.randrange(1, 8), random.choice((0, 0, 1)), "lru")
                    else:
                        uwsgi.cache_del(key, "lru")
            time.sleep(0.02)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            keys = uwsgi.cache_keys("lru")
            self.assertEqual(len(keys), len(set(keys)))
            for key in keys:
                value = uwsgi.cache_get(key, "lru")
                self.assertIn(value and value.replace(key, b""), (None, b""))

    def test_whatever_stands_in_the_memory_is_at_most_a_miss(self):
        cache = caches.caches[1]
        random.seed(7)
        for _ in range(1500):
            for _ in range(random.randrange(1, 40)):
                shared.memory[random.randrange(cache.base, cache.values)] = random.randrange(256)
            key = f"k{random.randrange(60)}"
            for act in (lambda: uwsgi.cache_update(key, key, 0, "lru"), lambda: uwsgi.cache_del(key, "lru"),
                        lambda: uwsgi.cache_keys("lru"), lambda: uwsgi.cache_set(key, key, 0, "lru")):
                act()
            self.assertIn(uwsgi.cache_get(key, "lru"), (None, key.encode()))


class Locks(unittest.TestCase):
    def test_a_process_that_is_killed_holds_none(self):
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            uwsgi.lock(2)
            os.write(writing, b"x")
            time.sleep(100)
        os.read(reading, 1)
        self.assertTrue(uwsgi.is_locked(2))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        uwsgi.lock(2)
        self.assertTrue(uwsgi.is_locked(2))
        uwsgi.unlock(2)
        self.assertFalse(uwsgi.is_locked(2))

    def test_a_thread_does_not_wait_for_itself(self):
        uwsgi.lock(1)
        with self.assertRaisesRegex(RuntimeError, "holds the lock already"):
            uwsgi.lock(1)
        uwsgi.unlock(1)
        with self.assertRaisesRegex(RuntimeError, "is not held"):
            uwsgi.unlock(1)

    def test_what_the_kernel_takes_for_a_deadlock_is_waited_for(self):
        taken = []
        before = shared.fcntl.lockf

        def lockf(*arguments):
            taken.append(arguments)
            if len(taken) < 3:
                raise OSError(errno.EDEADLK, "")
            return before(*arguments)
        shared.fcntl.lockf = lockf
        try:
            uwsgi.lock(4)
        finally:
            shared.fcntl.lockf = before
        uwsgi.unlock(4)
        self.assertEqual(len(taken), 3)


class Times(unittest.TestCase):
    def setUp(self):
        self.rung = []
        self.before = signals.send
        signals.send = self.rung.append
        signals.timers[:], signals.crons[:], signals.monitors[:] = [], [], []
        shared.memory[shared.TIMERS:shared.FIRST_CACHE] = bytes(shared.FIRST_CACHE - shared.TIMERS)

    def tearDown(self):
        signals.send = self.before

    def test_a_timer_goes_on_where_the_worker_before_has_left_it(self):
        signals.add_timer(7, 10)
        self.assertEqual(signals.ring_timers(1000.0), 1001.0)
        self.assertEqual(signals.ring_timers(1009.0), 1010.0)
        self.assertEqual(self.rung, [])
        signals.ring_timers(1010.5)
        self.assertEqual(self.rung, [7])
        self.assertEqual(signals.ring_timers(1019.0), 1020.0)
        # Nobody had the clock for a while: once, and then as before.
        signals.ring_timers(1055.0)
        self.assertEqual(self.rung, [7, 7])
        self.assertEqual(signals.ring_timers(1059.5), 1060.0)

    def test_a_timer_with_an_end(self):
        signals.add_timer(8, 1, 2)
        for now in range(100, 110):
            signals.ring_timers(float(now))
        self.assertEqual(self.rung, [8, 8])
        nsgi.facts = (0, 2, "test")
        for now in range(110, 120):
            signals.ring_timers(float(now))
        nsgi.facts = (0, 1, "test")
        self.assertEqual(self.rung, [8] * 4)

    def test_whatever_stands_there_is_a_time_or_none(self):
        signals.add_timer(7, 10)
        for byte in range(256):
            shared.memory[shared.TIMERS:shared.TIMERS + 32] = bytes([byte]) * 32
            self.assertLessEqual(signals.ring_timers(1000.0), 1010.0)

    def test_minutes(self):
        def at(text):
            return time.strptime(text, "%Y-%m-%d %H:%M")
        sunday, monday = at("2026-11-29 13:20"), at("2026-11-30 13:21")
        for fields, expected in [
                ((-1, -1, -1, -1, -1), (True, True)), ((20, -1, -1, -1, -1), (True, False)),
                ((-10, -1, -1, -1, -1), (True, False)), ((-1, 13, -1, 11, 0), (True, False)),
                ((-1, -1, -1, -1, 7), (True, False)), ((-1, -1, 30, -1, 0), (True, True)),
                ((-1, -1, 31, -1, 3), (False, False))]:
            self.assertEqual((signals.fits(fields, sunday), signals.fits(fields, monday)), expected, fields)

    def test_a_minute_comes_once_whoever_has_the_clock(self):
        signals.add_cron(9, -1, -1, -1, -1, -1)
        before = time.time
        try:
            for now in (6000, 6030, 6059, 6060, 6061, 6119, 6120):
                time.time = lambda: float(now)
                signals.ring_crons()
        finally:
            time.time = before
        self.assertEqual(self.rung, [9, 9])

    def test_a_monitor_tells_a_change_that_came_between_two_workers(self):
        path = os.path.join(sys.argv[2], "watched")
        with open(path, "w") as file:
            file.write("one")
        signals.add_monitor(11, path)
        signals.look_at_files()
        signals.look_at_files()
        self.assertEqual(self.rung, [])
        with open(path, "w") as file:
            file.write("two words")
        signals.look_at_files()
        signals.look_at_files()
        self.assertEqual(self.rung, [11])


if __name__ == "__main__":
    begin(sys.argv[1])
    import _nsgi as nsgi
    import _uwsgi_cache as caches
    import _uwsgi_shared as shared
    import _uwsgi_signals as signals
    import uwsgi
    unittest.main(argv=sys.argv[:1], verbosity=1)
