/// Names that an application in Python cannot have.
enum PythonNames {
  /// Modules of its standard library (`sys.stdlib_module_names` of 3.13 and before), keywords, and what the
  /// frameworks of the templates bring along, in small letters.
  static let taken = Set(words.split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init))

  private static let words = """
    abc aifc and antigravity argparse array as asgiref assert ast async asynchat asyncio asyncore atexit
    audioop await base64 bdb binascii bisect break builtins bz2 calendar cgi cgitb chunk class click
    cmath cmd code codecs codeop collections colorsys compileall concurrent configparser contextlib
    contextvars continue copy copyreg cprofile crypt csv ctypes curses dataclasses datetime dbm decimal
    def del difflib dis distutils django doctest elif else email encodings ensurepip enum errno except
    false faulthandler fcntl filecmp fileinput finally flask fnmatch for fractions from ftplib functools
    gc genericpath getopt getpass gettext glob global graphlib grp gzip hashlib heapq hmac html http
    idlelib if imaplib imghdr imp import importlib in inspect io ipaddress is itertools jinja2 json
    keyword lambda lib2to3 linecache locale logging lzma mailbox mailcap manage marshal math mimetypes
    mmap modulefinder msilib msvcrt multiprocessing netrc nis nntplib none nonlocal not nt ntpath
    nturl2path numbers opcode operator optparse or os ossaudiodev pass pathlib pdb pickle pickletools
    pip pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty pwd py_compile
    pyclbr pydoc pydoc_data pyexpat queue quopri raise random re readline reprlib resource return
    rlcompleter runpy sched secrets select selectors setuptools shelve shlex shutil signal site smtpd
    smtplib sndhdr socket socketserver spwd sqlite3 sqlparse sre_compile sre_constants sre_parse ssl
    stat static statistics string stringprep struct subprocess sunau symtable sys sysconfig syslog
    tabnanny tarfile telnetlib tempfile termios textwrap this threading time timeit tkinter token
    tokenize tomllib trace traceback tracemalloc true try tty turtle turtledemo types typing unicodedata
    unittest urllib uu uuid venv warnings wave weakref webbrowser werkzeug while winreg winsound with
    wsgiref xdrlib xml xmlrpc yield zipapp zipfile zipimport zlib zoneinfo
    """
}
