# Tests of the module uwsgi without a server: the caches between processes that are killed, and over memory
# that anybody has written into.
import mmap
import os
import random
import signal
import sys
import time
import unittest

from uwsgi_units import lines

import _uwsgi_cache as caches
import _uwsgi_shared as shared
import _uwsgi_table as table
import uwsgi


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


class Looks:
    '''Counts how many slots of a cache are looked at.'''
    def __enter__(self):
        self.count, self.before = 0, caches.Cache.entry

        def entry(cache, slot):
            self.count += 1
            return self.before(cache, slot)
        caches.Cache.entry = entry
        return self

    def __exit__(self, *ignored):
        caches.Cache.entry = self.before


class LargeCaches(unittest.TestCase):
    '''Nobody holds the lock for a time that grows with the table.'''
    def check_lists(self, cache):
        '''Each slot that was ever used is in one list.'''
        with cache:
            places = [slot for bucket in range(cache.items) for slot in cache.chain(bucket)]
            free = cache.head(table.FREE)
            while free:
                places.append(free - 1)
                free = cache.entry(free - 1)[3]
            self.assertEqual(sorted(places), list(range(cache.fresh())))

    def kill_at(self, line, act):
        '''Does something in a process that is killed at so many lines of the table; False if it has none.'''
        pid = os.fork()
        if not pid:
            left = line

            def trace(frame, event, _):
                nonlocal left
                if frame.f_code.co_filename not in ("table.py", "cache.py"):
                    return None
                left -= event == "line"
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return trace
            sys.settrace(trace)
            act()
            sys.settrace(None)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL

    def test_a_worker_that_is_killed_at_any_line_costs_one_entry_and_no_time(self):
        cache = caches.caches[2]
        acts = {
            "new": lambda: uwsgi.cache_set("new", "x", 0, "middle"),
            "replace": lambda: uwsgi.cache_update("k7", "y" * 60, 0, "middle"),
            "remove": lambda: uwsgi.cache_del("k8", "middle"),
        }
        for name, act in acts.items():
            for free in False, True:
                line, is_killed = 0, True
                while is_killed:
                    uwsgi.cache_clear("middle")
                    for number in range(30):
                        uwsgi.cache_set(f"k{number}", f"v{number}", 0, "middle")
                    with cache:
                        cache.set_head(table.FRESH, 1000)
                        for slot in range(30, 1000):
                            cache.set_slot(slot, 0, 0, 0, slot + 2 if slot < 999 else 0, 0, 0, 0)
                        cache.set_head(table.FREE, 31 if free else 0)
                        if not free:
                            cache.set_head(table.FRESH, 30)
                    is_killed = self.kill_at(line, act)
                    with Looks() as looks:
                        found = [uwsgi.cache_get(f"k{number}", "middle") for number in range(30)]
                    self.assertLess(looks.count, 150, (name, line))
                    changed = {"replace": 7, "remove": 8}.get(name)
                    for number in range(30):
                        may = [f"v{number}".encode()]
                        if number == changed:
                            may += [None, b"y" * 60] if name == "replace" else [None]
                        self.assertIn(found[number], may, (name, line))
                    self.assertIn(uwsgi.cache_get("new", "middle"), (None, b"x"))
                    self.check_lists(cache)
                    line += 1
                self.assertGreater(line, 30)

    def test_what_was_cached_before_there_were_workers_is_taken_once_and_with_care(self):
        cache, now, pieces = caches.caches[0], shared.memory, []

        class Memory(mmap.mmap):
            def __getitem__(self, part):
                found = super().__getitem__(part)
                # Other threads use the cache meanwhile.
                pieces.append((len(found), shared.memory is now))
                return found
        uwsgi.cache_clear()
        for number in range(6):
            uwsgi.cache_set(f"k{number}", f"v{number}", 100 if number == 5 else 0)
        before = Memory(-1, len(now))
        before[:] = now[:]
        # The size of a key, that of a value, and a value itself, as nobody writes them.
        for place in cache.entries + table.ENTRY_SIZE + 28, cache.entries + table.ENTRY_SIZE * 2 + 32, \
                cache.values + cache.block * 3:
            table.WORD.pack_into(before, place, 0xffffffff)
        uwsgi.cache_clear()
        uwsgi.cache_set("k4", "mine")
        cache.take_from(before)
        self.assertEqual(sorted(uwsgi.cache_keys()), [b"k0", b"k4", b"k5"])
        self.assertEqual([uwsgi.cache_get(key) for key in ("k0", "k4", "k5")], [b"v0", b"mine", b"v5"])
        self.assertEqual(set(pieces), {(2, True)})
        uwsgi.cache_clear()
        cache.take_from(before)
        self.assertEqual(uwsgi.cache_keys(), [])
        self.check_lists(cache)

    def test_lists_that_lead_astray_are_made_anew_a_few_at_a_time(self):
        cache = caches.caches[3]
        uwsgi.cache_clear("big")
        for number in range(5000):
            uwsgi.cache_set(f"k{number}", f"v{number}", 0, "big")
        with cache:
            cache.set_word(cache.buckets + 4 * (cache.hash(b"k1") % cache.items), 1 << 31)
        self.assertIs(uwsgi.cache_get("k1", "big"), None)
        turns = 0
        while cache.left():
            with Looks() as looks:
                uwsgi.cache_update(f"k{turns}", "later", 0, "big")
            self.assertLess(looks.count, 2000)
            turns += 1
        self.assertGreater(turns, 3)
        for number in range(5000):
            expected = b"later" if number < turns else f"v{number}".encode()
            self.assertEqual(uwsgi.cache_get(f"k{number}", "big"), expected)
        self.check_lists(cache)
        self.assertEqual(len(uwsgi.cache_keys("big")), 5000)

    def test_a_full_cache_does_not_look_at_all_of_it_for_room(self):
        before = time.time
        now = before()
        try:
            time.time = lambda: now
            for name in "big", "biglru":
                uwsgi.cache_clear(name)
                for number in range(20000):
                    uwsgi.cache_set(f"k{number}", "x", 1000 if number < 19900 else 1, name)
            now += 2
            with Looks() as looks:
                self.assertIs(uwsgi.cache_set("new", "x", 0, "biglru"), True)
            self.assertLess(looks.count, 200)
            counts, turns = [], 0
            while not uwsgi.cache_exists(f"new{turns}", "big") and turns < 10:
                turns += 1
                with Looks() as looks:
                    uwsgi.cache_set(f"new{turns}", "x", 0, "big")
                counts.append(looks.count)
            self.assertIs(uwsgi.cache_exists(f"new{turns}", "big"), True)
            self.assertLess(max(counts), 15000)
            # The hundred that had expired are gone; then there is nothing to be looked for within the second.
            while uwsgi.cache_set(f"more{turns}", "x", 0, "big"):
                turns += 1
            for _ in range(10):
                uwsgi.cache_set("none", "x", 0, "big")
            with Looks() as looks:
                self.assertIs(uwsgi.cache_set("none", "x", 0, "big"), None)
            self.assertLess(looks.count, 10)
            self.assertEqual(len(uwsgi.cache_keys("big")), 20000)
        finally:
            time.time = before


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
