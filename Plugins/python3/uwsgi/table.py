# A cache between workers, as the module `_uwsgi_table`: a table of slots of one size in the shared memory,
# under one lock. Before a worker changes it, it notes which slot and which bucket: if it ends meanwhile, the
# next one repairs those two. If lists are corrupt, which takes somebody who writes into the memory, all
# entries with correct checksums are linked again, a few at a time. Numbers read from there are bounded before
# they are used, so that any content is at worst a miss. Nobody holds the lock for a time that grows with the
# table, except to clear its buckets, which is one copy of memory.
import os
import random
import struct
import time
from binascii import crc32
from hashlib import blake2b

import _uwsgi_shared as shared
from _uwsgi_shared import CACHE_LOCKS, Lock, say

HEAD_SIZE = 64
# Places in the head: mark of a complete table, what is being changed, its slot and bucket, first free slot
# (from 1), how many slots were ever used: those after them are free too. How many of them, from the first on,
# still have to be linked again. Where the next look for expired entries begins, and when, in seconds, the
# last round of looks did.
MARK, DIRTY, SLOT, BUCKET, FREE, FRESH, LEFT, CURSOR = range(0, 32, 4)
CLOCK, ROUND, SALT, SALT_SIZE = 32, 40, 48, 16
MAGIC = 0x55434834
# What a worker that has ended had begun.
NOTHING, ALL, ONE = 0, 1, 2
# Hash, when it expires in milliseconds (0: never), when it was used, next in the bucket or the free list
# (from 1), bytes of key (0: free) and value, checksum.
ENTRY = struct.Struct("<QQQIIII")
ENTRY_SIZE = 48
USED, NEXT = 16, 24
WORD, LONG, SECONDS = struct.Struct("<I"), struct.Struct("<Q"), struct.Struct("<d")
LONGEST_LIFE = 100 * 365 * 86400
# Slots that are searched for the least recently used one; that are searched for expired ones when a slot is
# needed; that are linked again by each taker of the lock; whose keys are listed at once.
SAMPLE, LOOKS, STEPS, KEYS = 64, 4096, 256, 4096


class Full(Exception):
    '''There is no slot left.'''


class Cache:
    '''One cache.'''
    def __init__(self, index, words):
        # The format of Settings.tellServerFacts.
        offset, size, items, block, key, evicts, name = words.split(" ", 6)
        self.name, self.items, self.block, self.key = name, int(items), int(block), int(key)
        self.evicts, self.lock, self.base = evicts == "1", Lock(CACHE_LOCKS + index), int(offset)
        self.buckets = self.base + HEAD_SIZE
        self.entries = self.buckets + 4 * self.items
        self.keys = self.entries + ENTRY_SIZE * self.items
        self.values = self.keys + self.key * self.items
        self.has_complained, self.anew = False, 0
        end = self.base + int(size)
        if self.values + self.block * self.items > end or end > len(shared.memory):
            raise ValueError(f"the cache {name} does not fit its memory")

    # Words of the memory.

    def word(self, place):
        return WORD.unpack_from(shared.memory, place)[0]

    def set_word(self, place, value):
        WORD.pack_into(shared.memory, place, value)

    def head(self, place):
        return self.word(self.base + place)

    def set_head(self, place, value):
        self.set_word(self.base + place, value)

    def fresh(self):
        return min(self.head(FRESH), self.items)

    def left(self):
        return min(self.head(LEFT), self.fresh())

    def entry(self, slot, memory=None):
        memory = shared.memory if memory is None else memory
        return ENTRY.unpack_from(memory, self.entries + ENTRY_SIZE * slot)

    def set_slot(self, slot, *values):
        ENTRY.pack_into(shared.memory, self.entries + ENTRY_SIZE * slot, *values)

    def key_of(self, slot, count, memory=None):
        place = self.keys + self.key * slot
        return (shared.memory if memory is None else memory)[place:place + count]

    def value_of(self, slot, count, memory=None):
        place = self.values + self.block * slot
        return (shared.memory if memory is None else memory)[place:place + count]

    def hash(self, key):
        return int.from_bytes(blake2b(key, digest_size=8, key=self.salt).digest(), "little")

    @staticmethod
    def check(key, value):
        return crc32(value, crc32(key))

    def tick(self):
        '''The time of a use.'''
        clock = (LONG.unpack_from(shared.memory, self.base + CLOCK)[0] + 1) % (1 << 64)
        LONG.pack_into(shared.memory, self.base + CLOCK, clock)
        return clock

    # One at a time.

    def __enter__(self):
        self.lock.acquire()
        try:
            place = self.base + SALT
            if self.head(MARK) != MAGIC:
                shared.memory[place:place + SALT_SIZE] = os.urandom(SALT_SIZE)
            self.salt = shared.memory[place:place + SALT_SIZE]
            if self.head(MARK) != MAGIC:
                self.clear()
                self.set_head(MARK, MAGIC)
            else:
                self.mend()
        except BaseException:
            self.lock.release()
            raise
        return self

    def __exit__(self, *ignored):
        self.lock.release()

    # Order.

    def mend(self):
        '''Completes a change that a worker which has ended had begun, and goes on with pending work.'''
        dirty = self.head(DIRTY)
        if dirty == ONE and self.head(SLOT) < self.items and self.head(BUCKET) < self.items:
            self.settle(self.head(SLOT), self.head(BUCKET))
            self.set_head(DIRTY, NOTHING)
            say("warning", f"the cache {self.name} is in order again: a worker ended while it wrote there")
        elif dirty:
            self.start_anew("a worker ended while it wrote there")
        self.link_anew(STEPS)

    def start_anew(self, reason):
        '''Begins to link all entries again, a few by each taker of the lock; until then they are misses.'''
        say("warning", f"the cache {self.name} is put in order ({reason}): what is whole is kept")
        self.anew += 1
        self.set_head(DIRTY, ALL)
        self.set_head(FREE, 0)
        shared.memory[self.buckets:self.entries] = bytes(4 * self.items)
        self.set_head(LEFT, self.fresh())
        self.set_head(DIRTY, NOTHING)

    def link_anew(self, steps):
        while steps and self.left():
            slot, anew = self.left() - 1, self.anew
            self.settle(slot, None)
            if self.anew == anew:
                self.set_head(LEFT, slot)
            steps -= 1

    def settle(self, slot, bucket):
        '''Puts a slot into one list: its bucket's if it is intact, otherwise that of free ones. It may be
        repeated after any part of it.'''
        if slot >= self.fresh() or bucket is not None and slot < self.left():
            return
        found, _, _, follower, key_count, value_count, check = self.entry(slot)
        key = self.key_of(slot, key_count) if 0 < key_count <= self.key else b""
        is_whole = key and value_count <= self.block and found == self.hash(key) \
            and check == self.check(key, self.value_of(slot, value_count))
        if is_whole:
            bucket = found % self.items
        before, anew = None, self.anew
        for other in self.chain(bucket) if bucket is not None else ():
            if other == slot:
                if is_whole:
                    return
                self.unlink(bucket, before, follower)
                break
            if is_whole and self.entry(other)[0] == found and self.key_of(other, len(key)) == key \
                    and self.entry(other)[4] == len(key):
                is_whole = False
                break
            before = other
        # If the chain was corrupt, the slot will have its turn.
        if self.anew != anew:
            return
        if is_whole:
            self.link(slot, found)
        elif self.head(FREE) != slot + 1:
            self.give_back(slot)

    def give_back(self, slot):
        self.set_slot(slot, 0, 0, 0, self.head(FREE), 0, 0, 0)
        self.set_head(FREE, slot + 1)

    def link(self, slot, found):
        bucket = self.buckets + 4 * (found % self.items)
        self.set_word(self.entries + ENTRY_SIZE * slot + NEXT, self.word(bucket))
        self.set_word(bucket, slot + 1)

    def unlink(self, bucket, before, follower):
        link = self.buckets + 4 * bucket if before is None else self.entries + ENTRY_SIZE * before + NEXT
        self.set_word(link, follower)

    def begin(self, slot, bucket):
        self.set_head(SLOT, slot)
        self.set_head(BUCKET, bucket)
        self.set_head(DIRTY, ONE)

    # Finding.

    def chain(self, bucket):
        '''The slots of a bucket; stops at a corrupt one.'''
        follower, left = self.word(self.buckets + 4 * bucket), self.items
        while follower:
            if follower > self.fresh() or not left:
                return self.start_anew("its lists led astray")
            yield follower - 1
            left -= 1
            follower = self.entry(follower - 1)[3]

    def find(self, key):
        '''The slot of a key that has not expired, and what the table says about it; None if there is none.'''
        found = self.hash(key)
        for slot in self.chain(found % self.items):
            entry = self.entry(slot)
            if entry[0] != found or entry[4] != len(key) or self.key_of(slot, len(key)) != key:
                continue
            if entry[1] and entry[1] <= time.time() * 1000:
                self.remove(slot)
                return None
            return slot, entry
        return None

    def read(self, slot, entry):
        '''The value of a slot; None if it is not as it was written.'''
        value = self.value_of(slot, entry[5]) if entry[5] <= self.block else None
        if value is None or self.check(self.key_of(slot, entry[4]), value) != entry[6]:
            say("warning", f"an entry of the cache {self.name} was not what was written, and is gone")
            self.remove(slot)
            return None
        LONG.pack_into(shared.memory, self.entries + ENTRY_SIZE * slot + USED, self.tick())
        return value

    def get(self, key):
        found = self.find(key)
        return None if found is None else self.read(*found)

    # Changing.

    def put(self, key, value, expires, replaces):
        '''Writes an entry; False if there is one already and it must not be replaced.'''
        if len(value) > self.block:
            raise ValueError(f"a value of the cache {self.name} has {self.block} bytes at most, and this one "
                             f"{len(value)}: give cache2 a greater blocksize")
        known = self.find(key)
        if known is not None and not replaces:
            return False
        slot = known[0] if known is not None else self.free_slot()
        found, used = self.hash(key), self.tick()
        due = int((time.time() + min(expires, LONGEST_LIFE)) * 1000) if expires else 0
        self.begin(slot, found % self.items)
        if known is None:
            self.take_slot(slot)
            place = self.keys + self.key * slot
            shared.memory[place:place + len(key)] = key
        follower = self.entry(slot)[3]
        place = self.values + self.block * slot
        shared.memory[place:place + len(value)] = value
        self.set_slot(slot, found, due, used, follower, len(key), len(value), self.check(key, value))
        if known is None:
            self.link(slot, found)
        self.set_head(DIRTY, NOTHING)
        return True

    def remove(self, slot):
        found, before, is_there, follower = self.entry(slot)[0], None, False, self.entry(slot)[3]
        for other in self.chain(found % self.items):
            if other == slot:
                is_there = True
                break
            before = other
        if not is_there:
            self.set_slot(slot, 0, 0, 0, 0, 0, 0, 0)
            return self.start_anew("an entry was not in its list")
        self.begin(slot, found % self.items)
        self.unlink(found % self.items, before, follower)
        self.give_back(slot)
        self.set_head(DIRTY, NOTHING)

    def free_slot(self):
        '''Gets a free slot: one that is free, that has expired, or the least recently used one.'''
        for _ in range(3):
            free, fresh = self.head(FREE), self.fresh()
            if free > fresh or free and self.entry(free - 1)[4]:
                self.start_anew("its list of free slots led astray")
                self.link_anew(STEPS)
            elif free:
                return free - 1
            elif fresh < self.items:
                return fresh
            elif self.evicts:
                self.evict()
            else:
                self.sweep()
        raise Full

    def take_slot(self, slot):
        if slot == self.fresh():
            # Data from before the table was cleared is not one of its entries.
            self.set_slot(slot, 0, 0, 0, 0, 0, 0, 0)
            self.set_head(FRESH, slot + 1)
        else:
            self.set_head(FREE, self.entry(slot)[3])

    def evict(self):
        '''Removes an expired one, or the least recently used one, of some.'''
        now, many = time.time() * 1000, range(self.left(), self.fresh())
        some = many if len(many) <= SAMPLE else random.sample(many, SAMPLE)

        def rank(slot):
            entry = self.entry(slot)
            return not 0 < entry[1] <= now, entry[2]
        if some:
            self.remove(min(some, key=rank))

    def sweep(self):
        '''Looks at some slots for expired entries; at each at most once a second.'''
        now, cursor = time.time(), self.head(CURSOR)
        if cursor >= self.fresh():
            cursor = 0
        if not cursor:
            if 0 <= now - SECONDS.unpack_from(shared.memory, self.base + ROUND)[0] < 1:
                return
            SECONDS.pack_into(shared.memory, self.base + ROUND, now)
        end = min(cursor + LOOKS, self.fresh())
        self.set_head(CURSOR, end)
        for slot in range(max(cursor, self.left()), end):
            entry = self.entry(slot)
            # One that still has to be linked again is in no list.
            if slot >= self.left() and entry[4] and 0 < entry[1] <= now * 1000:
                self.remove(slot)

    def clear(self):
        self.set_head(DIRTY, ALL)
        for place in FRESH, FREE, LEFT, CURSOR:
            self.set_head(place, 0)
        SECONDS.pack_into(shared.memory, self.base + ROUND, 0.0)
        shared.memory[self.buckets:self.entries] = bytes(4 * self.items)
        self.set_head(DIRTY, NOTHING)

    def keys_from(self, first):
        '''The keys of some slots, and where to go on; None at the end.'''
        now, keys, end = time.time() * 1000, [], min(first + KEYS, self.fresh())
        for slot in range(first, end):
            entry = self.entry(slot)
            if 0 < entry[4] <= self.key and not 0 < entry[1] <= now:
                keys.append(self.key_of(slot, entry[4]))
        return keys, end if end < self.fresh() else None

    def take_from(self, before):
        '''Adds entries that an application has put into another memory while it was loaded, unless they exist
        here; removes them there, so that later workers do not bring back entries that were removed since.'''
        with self:
            found = self.whole_entries(before)
            for place in FRESH, MARK:
                WORD.pack_into(before, self.base + place, 0)
            for key, value, due in found:
                left = due / 1000 - time.time()
                if not due or left > 0:
                    self.put(key, value, left if due else 0, False)

    def whole_entries(self, memory):
        '''Key, value and time of all intact entries in a memory that nobody else looks at: this process's own
        stays where its threads find it.'''
        found, (fresh,) = [], WORD.unpack_from(memory, self.base + FRESH)
        for slot in range(min(fresh, self.items)):
            _, due, _, _, key_count, value_count, check = self.entry(slot, memory)
            if 0 < key_count <= self.key and value_count <= self.block:
                key, value = self.key_of(slot, key_count, memory), self.value_of(slot, value_count, memory)
                if check == self.check(key, value):
                    found.append((key, value, due))
        return found

    def complain(self):
        if not self.has_complained:
            self.has_complained = True
            say("warning", f"the cache {self.name} is full ({self.items} items): give cache2 more items, or "
                           "purge_lru=1")
