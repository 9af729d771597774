# Caches shared by workers, for the functions, as the module `_uwsgi_cache`: uWSGI's cache2.
import struct

import _uwsgi_shared as shared
from _uwsgi_shared import all_told, say
from _uwsgi_table import Cache, Full

NUMBER = struct.Struct("<q")


def take_inherited():
    '''Runs in a worker: entries that the application cached while it was loaded are for all.'''
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
    '''The cache of a name, which may be bytes; the first one if no name is given; None, with a log line, if
    there is none.'''
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


def all_keys(cache):
    '''Each key once, even if others write meanwhile: keys that are moved then may be missing.'''
    keys, following = {}, 0
    while following is not None:
        with cache:
            some, following = cache.keys_from(following)
        keys.update(dict.fromkeys(some))
    return list(keys)


def store(key, value, expires, name, replaces):
    cache = named(name)
    if cache is None:
        return None
    key, expires = taken(cache, key), lifetime(expires)
    value = value.encode() if isinstance(value, str) else bytes(memoryview(value))
    with cache:
        return put(cache, key, value, expires, replaces)


def put(cache, key, value, expires, replaces):
    '''The result of uWSGI's functions: True if written, otherwise None. The cache's lock is held.'''
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
    '''Replaces the number under a key, which is 0 if there is none.'''
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
        return put(cache, key, NUMBER.pack(number), expires, True)
