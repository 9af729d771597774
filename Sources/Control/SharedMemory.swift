/// The memory that the workers of a server have in common for the module `uwsgi` of Python applications. Its
/// master makes it and never looks into it: whatever stands there concerns the workers alone.
public enum SharedMemory {
  /// Bytes before the caches: a page for nobody, a row for each worker, then broadcasts, timers, monitors and
  /// the minute, as Plugins/python3/uwsgi/shared.py has them.
  public static let fixedBytes = page + 64 * 1024 + page + 2 * page + page + page
  private static let page = 4096
}
