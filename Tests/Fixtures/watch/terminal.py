"""Runs a program at a terminal of 80 columns and 24 rows, types a key after a while, and prints what it drew.

terminal.py SECONDS KEY PROGRAM [ARGUMENT...]
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

seconds, key, command = float(sys.argv[1]), sys.argv[2], sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
drawn, typed, end = b"", False, time.monotonic() + 30
begin = time.monotonic()
while time.monotonic() < end:
    if not typed and time.monotonic() - begin > seconds:
        os.write(terminal, key.encode())
        typed = True
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        drawn += piece
sys.stdout.write(drawn.decode("utf-8", "replace"))
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(code if typed else 99)
