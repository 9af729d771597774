# Caches between workers, as the module `_uwsgi_cache`: uWSGI's cache2. A cache is a table of slots of one
# size in the shared memory, under one lock. A worker that ends while it changes one leaves a mark: the next
# one keeps the entries whose check sums are right and drops the rest. Numbers that are read there are
# bounded before they are used, so that whatever stands there is at most a miss.
import os
import random
import struct
import time
from binascii import crc32
from hashlib import blake2b

import _uwsgi_shared as shared
from _uwsgi_shared import CACHE_LOCKS, Lock, all_told, say

# Mark of a table that was made, mark of a change, entries, first free slot (from 1), time of use, salt, how
# many slots were ever used: those behind are free too.
HEAD, HEAD_SIZE = struct.Struct("<IIIIQ16sI"), 64
MAGIC = 0x55434833
DIRTY, COUNT, FREE, CLOCK, FRESH = 4, 8, 12, 16, 40
# Hash, when it expires in milliseconds (0: never), when it was used, next in the bucket or the free list
# (from 1), bytes of key (0: free) and value, check sum.
ENTRY = struct.Struct("<QQQIIII")
ENTRY_SIZE = 48
USED, NEXT = 16, 24
NUMBER, WORD = struct.Struct("<q"), struct.Struct("<I")
LONGEST_LIFE = 100 * 365 * 86400
# Slots that are looked at for the one that was used least lately.
SAMPLE = 64


class Full(Exception):
    '''There is no slot left.'''


class Cache:
    '''One cache.'''
    def __init__(self, index, words):
        # As Settings.tellServerFacts writes it.
        offset, size, items, block, key, evicts, name = words.split(" ", 6)
        self.name, self.items, self.block, self.key = name, int(items), int(block), int(key)
        self.evicts, self.lock, self.base = evicts == "1", Lock(CACHE_LOCKS + index), int(offset)
        self.buckets = self.base + HEAD_SIZE
        self.entries = self.buckets + 4 * self.items
        self.keys = self.entries + ENTRY_SIZE * self.items
        self.values = self.keys + self.key * self.items
        self.has_complained, self.swept = False, 0.0
        end = self.base + int(size)
        if self.values + self.block * self.items > end or end > len(shared.memory):
            raise ValueError(f"the cache {name} does not fit its memory")

    # Words of the memory.

    def word(self, place):
        return WORD.unpack_from(shared.memory, place)[0]

    def set_word(self, place, value):
        WORD.pack_into(shared.memory, place, value)

    def entry(self, slot):
        return ENTRY.unpack_from(shared.memory, self.entries + ENTRY_SIZE * slot)

    def key_of(self, slot, count):
        place = self.keys + self.key * slot
        return shared.memory[place:place + count]

    def value_of(self, slot, count):
        place = self.values + self.block * slot
        return shared.memory[place:place + count]

    def hash(self, key):
        return int.from_bytes(blake2b(key, digest_size=8, key=self.salt).digest(), "little")

    # One at a time.

    def __enter__(self):
        self.lock.acquire()
        try:
            magic, dirty, _, _, _, self.salt, _ = HEAD.unpack_from(shared.memory, self.base)
            if magic != MAGIC:
                self.salt = os.urandom(16)
                HEAD.pack_into(shared.memory, self.base, 0, 1, 0, 0, 1, self.salt, 0)
                self.clear()
                self.set_word(self.base, MAGIC)
            elif dirty:
                self.repair("a worker ended while it wrote there")
        except BaseException:
            self.lock.release()
            raise
        return self

    def __exit__(self, *ignored):
        self.lock.release()

    def repair(self, reason):
        kept = self.rebuild()
        say("warning", f"the cache {self.name} is put in order ({reason}): {kept} entries are kept")

    def rebuild(self):
        '''Keeps what is whole, and makes lists of all.'''
        self.set_word(self.base + DIRTY, 1)
        shared.memory[self.buckets:self.entries] = bytes(4 * self.items)
        free, count, seen = 0, 0, set()
        for slot in reversed(range(self.fresh())):
            found, _, _, _, key_count, value_count, check = self.entry(slot)
            key = self.key_of(slot, key_count) if 0 < key_count <= self.key else b""
            if key and value_count <= self.block and key not in seen and found == self.hash(key) \
                    and check == self.check(key, self.value_of(slot, value_count)):
                seen.add(key)
                count += 1
                self.link(slot, found)
            else:
                self.set_slot(slot, 0, 0, 0, free, 0, 0, 0)
                free = slot + 1
        self.set_word(self.base + COUNT, count)
        self.set_word(self.base + FREE, free)
        self.set_word(self.base + DIRTY, 0)
        return count

    def fresh(self):
        return min(self.word(self.base + FRESH), self.items)

    def tick(self):
        '''The time of a use.'''
        clock = (struct.unpack_from("<Q", shared.memory, self.base + CLOCK)[0] + 1) % (1 << 64)
        struct.pack_into("<Q", shared.memory, self.base + CLOCK, clock)
        return clock

    def set_slot(self, slot, *values):
        ENTRY.pack_into(shared.memory, self.entries + ENTRY_SIZE * slot, *values)

    @staticmethod
    def check(key, value):
        return crc32(value, crc32(key))

    def link(self, slot, found):
        bucket = self.buckets + 4 * (found % self.items)
        self.set_word(self.entries + ENTRY_SIZE * slot + NEXT, self.word(bucket))
        self.set_word(bucket, slot + 1)

    # Finding.

    def chain(self, found):
        '''The slots of a bucket; nothing more of one that leads astray.'''
        follower, left = self.word(self.buckets + 4 * (found % self.items)), self.items
        while follower:
            if not 0 < follower <= self.items or not left:
                return self.repair("its lists led astray")
            yield follower - 1
            left -= 1
            follower = self.entry(follower - 1)[3]

    def find(self, key):
        '''The slot of a key that has not expired, and what the table says of it; None without.'''
        found = self.hash(key)
        for slot in self.chain(found):
            entry = self.entry(slot)
            if entry[0] != found or entry[4] != len(key) or self.key_of(slot, len(key)) != key:
                continue
            if entry[1] and entry[1] <= time.time() * 1000:
                self.remove(slot)
                return None
            return slot, entry
        return None

    def read(self, slot, entry):
        '''The value of a slot; None if it is not what was written.'''
        if entry[5] > self.block:
            self.repair("an entry was too long")
            return None
        value = self.value_of(slot, entry[5])
        if self.check(self.key_of(slot, entry[4]), value) != entry[6]:
            self.repair("an entry was not whole")
            return None
        struct.pack_into("<Q", shared.memory, self.entries + ENTRY_SIZE * slot + USED, self.tick())
        return value

    def get(self, key):
        found = self.find(key)
        return None if found is None else self.read(*found)

    # Changing.

    def put(self, key, value, expires, replaces):
        '''Writes an entry; False if it is there already and nothing is to be replaced.'''
        if len(value) > self.block:
            raise ValueError(f"a value of the cache {self.name} has {self.block} bytes at most, and this one "
                             f"{len(value)}: give cache2 a greater blocksize")
        known = self.find(key)
        if known is not None and not replaces:
            return False
        slot = known[0] if known is not None else self.free_slot()
        found, used = self.hash(key), self.tick()
        due = int((time.time() + min(expires, LONGEST_LIFE)) * 1000) if expires else 0
        self.set_word(self.base + DIRTY, 1)
        follower = self.entry(slot)[3]
        if known is None:
            self.take_slot(slot, follower)
            place = self.keys + self.key * slot
            shared.memory[place:place + len(key)] = key
        place = self.values + self.block * slot
        shared.memory[place:place + len(value)] = value
        self.set_slot(slot, found, due, used, follower, len(key), len(value), self.check(key, value))
        if known is None:
            self.link(slot, found)
        self.set_word(self.base + DIRTY, 0)
        return True

    def remove(self, slot):
        found = self.entry(slot)[0]
        self.set_word(self.base + DIRTY, 1)
        before, is_there, follower = None, False, self.entry(slot)[3]
        for other in self.chain(found):
            if other == slot:
                is_there = True
                break
            before = other
        if not is_there:
            self.set_slot(slot, 0, 0, 0, 0, 0, 0, 0)
            self.rebuild()
            return
        link = self.buckets + 4 * (found % self.items) if before is None \
            else self.entries + ENTRY_SIZE * before + NEXT
        self.set_word(link, follower)
        self.set_slot(slot, 0, 0, 0, self.word(self.base + FREE), 0, 0, 0)
        self.set_word(self.base + FREE, slot + 1)
        self.set_word(self.base + COUNT, max(0, self.word(self.base + COUNT) - 1))
        self.set_word(self.base + DIRTY, 0)

    def free_slot(self):
        '''A free slot: one that is, one that has expired, or the one that was used least lately.'''
        for attempt in range(3):
            free, fresh = self.word(self.base + FREE), self.fresh()
            if free > fresh or free and self.entry(free - 1)[4]:
                self.repair("its list of free slots led astray")
            elif free:
                return free - 1
            elif fresh < self.items:
                return fresh
            elif attempt == 0:
                self.sweep()
            elif self.evicts:
                many = range(self.items)
                some = many if self.items <= SAMPLE else random.sample(many, SAMPLE)
                self.remove(min(some, key=lambda slot: self.entry(slot)[2]))
        free = self.word(self.base + FREE)
        if 0 < free <= self.fresh() and not self.entry(free - 1)[4]:
            return free - 1
        raise Full

    def take_slot(self, slot, follower):
        if slot == self.fresh():
            self.set_word(self.base + FRESH, slot + 1)
        else:
            self.set_word(self.base + FREE, follower)
        self.set_word(self.base + COUNT, self.word(self.base + COUNT) + 1)

    def sweep(self):
        '''Removes what has expired, once a second at most.'''
        now = time.time()
        if 0 <= now - self.swept < 1:
            return
        self.swept = now
        for slot in range(self.fresh()):
            entry = self.entry(slot)
            if entry[4] and entry[1] and entry[1] <= now * 1000:
                self.remove(slot)

    def clear(self):
        self.set_word(self.base + DIRTY, 1)
        for place in FRESH, COUNT, FREE:
            self.set_word(self.base + place, 0)
        self.rebuild()

    def all_keys(self):
        now, keys = time.time() * 1000, []
        for slot in range(self.fresh()):
            entry = self.entry(slot)
            if 0 < entry[4] <= self.key and not 0 < entry[1] <= now:
                keys.append(self.key_of(slot, entry[4]))
        return keys

    def take_from(self, before):
        '''Adds what an application has put into another memory while it was loaded, and what is not here yet;
        takes it out there, so that workers which follow do not bring back what was removed since.'''
        now = shared.memory
        with self:
            shared.memory = before
            try:
                found = []
                for slot in range(self.fresh()):
                    _, due, _, _, key_count, value_count, check = self.entry(slot)
                    key, value = self.key_of(slot, key_count), self.value_of(slot, value_count)
                    if key and check == self.check(key, value):
                        found.append((key, value, due))
                self.set_word(self.base + FRESH, 0)
                self.set_word(self.base, 0)
            finally:
                shared.memory = now
            for key, value, due in found:
                if not due or due > time.time() * 1000:
                    self.put(key, value, (due / 1000 - time.time()) if due else 0, False)

    def complain(self):
        if not self.has_complained:
            self.has_complained = True
            say("warning", f"the cache {self.name} is full ({self.items} items): give cache2 more items, or "
                           "purge_lru=1")


def take_inherited():
    '''In a worker: what the application has cached while it was loaded is for all.'''
    if shared.inherited is None:
        return
    for cache in caches:
        try:
            cache.take_from(shared.inherited)
        except Full:
            cache.complain()


caches = [Cache(index, words) for index, words in enumerate(all_told("cache"))]
unknown = set()
shared.at_fork.append(take_inherited)


def named(name):
    '''The cache of a name, which may be bytes; the first one without; None, with a line, if there is none.'''
    if name is None or name in ("", b""):
        return caches[0]
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    if not isinstance(text, str):
        raise TypeError("a cache has a name")
    if "@" in text or ":" in text:
        raise NotImplementedError(f"{text} is a cache of another server; use memcached or Redis")
    for cache in caches:
        if cache.name == text:
            return cache
    if text not in unknown and len(unknown) < 100:
        unknown.add(text)
        say("warning", f"there is no cache {text}; add cache2 = name={text},items=100")
    return None


def taken(cache, key):
    '''The bytes of a key.'''
    key = key.encode() if isinstance(key, str) else bytes(key) if not isinstance(key, int) else None
    if not key:
        raise TypeError("a key is text or bytes, and not empty")
    if len(key) > cache.key:
        raise ValueError(f"a key of the cache {cache.name} has {cache.key} bytes at most, and this one "
                         f"{len(key)}: give cache2 a greater keysize")
    return key


def store(key, value, expires, name, replaces):
    cache = named(name)
    if cache is None:
        return None
    key, expires = taken(cache, key), lifetime(expires)
    value = value.encode() if isinstance(value, str) else bytes(memoryview(value))
    with cache:
        try:
            return True if cache.put(key, value, expires, replaces) else None
        except Full:
            cache.complain()
            return None


def lifetime(expires):
    expires = int(expires)
    if expires < 0:
        raise ValueError("an entry expires in so many seconds, or with 0 never")
    return expires


def change_number(key, name, expires, change):
    '''Replaces the number under a key, which is 0 without one.'''
    cache = named(name)
    if cache is None:
        return None
    key, expires = taken(cache, key), lifetime(expires)
    with cache:
        before = cache.get(key)
        if before is not None and len(before) != 8:
            raise ValueError(f"under {key!r} is no number")
        number = change(NUMBER.unpack(before)[0] if before else 0)
        number = (number + (1 << 63)) % (1 << 64) - (1 << 63)
        try:
            return True if cache.put(key, NUMBER.pack(number), expires, True) else None
        except Full:
            cache.complain()
            return None
