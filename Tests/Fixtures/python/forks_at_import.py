"""Forks while it is imported; the copy calls sys.exit(), or goes on to the end of the module."""
import atexit
import os
import sys

import nsgi

ends = []
nsgi.post_load(lambda: print(f"hook after {len(ends)} copies"))
atexit.register(lambda: print(f"atexit of {'the server' if ends else 'a copy'}"))
for leaves in (True, False):
    copy = os.fork()
    if copy == 0 and leaves:
        sys.exit(3)
    if copy == 0:
        break
    ends.append(os.WEXITSTATUS(os.waitpid(copy, 0)[1]))


def application(environ, start_response):
    start_response("200 OK", [])
    return [repr(ends).encode()]
