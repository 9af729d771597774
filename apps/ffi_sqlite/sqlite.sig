# SQLite: a database is opened once and used through a handle; each row of an answer is a call of the callback.
library libsqlite3.so.0

/version = sqlite3_libversion() -> cstr pure threadsafe

# sqlite3 ** becomes a handle; whoever forgets to close it leaves that to the end of the server.
/open = sqlite3_open(file: cstr, db: out handle(sqlite3) free=sqlite3_close) -> i32 fails=nonzero

# int (*callback)(void *, int, char **, char **); the message belongs to us and is given back.
/exec = sqlite3_exec(db: handle(sqlite3), sql: cstr,
  rows: callback(user: ptr, count: i32, values: cstr[count], names: cstr[count]) -> i32 = collect,
  user: ptr = null, message: out cstr free=sqlite3_free) -> i32 fails=nonzero

/changes = sqlite3_changes(db: handle(sqlite3)) -> i32
/close = sqlite3_close(db: close handle(sqlite3)) -> i32 fails=nonzero
