/// The memory that the workers of a server share for the module `uwsgi` of Python applications. Its master
/// makes it and never looks into it: its contents concern only the workers.
public enum SharedMemory {
  /// Bytes before the caches: a page for nobody, a row for each worker, then broadcasts, timers, monitors and
  /// the minute, as laid out in Plugins/python3/uwsgi/shared.py.
  public static let fixedBytes = page + 64 * 1024 + page + 2 * page + page + page
  private static let page = 4096
}
