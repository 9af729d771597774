// --py-autoreload: the way from a changed file to the application's new code.
import CNSGI
import CPython

/// The extension `nsgi.reload/1` of a server that replaces its workers, or itself if it has none: `reload`
/// asks for that, and gives the reason.
private struct ReloadTable {
  let reload: @convention(c) (UnsafePointer<CChar>?) -> Int32
}

/// A new start of the application.
enum Reload {
  /// Asks the server for it; false if there is nobody to ask.
  static func ask(_ reason: String) -> Bool {
    guard let table = Interpreter.host.pointee.extension("nsgi.reload/1") else { return false }
    return table.assumingMemoryBound(to: ReloadTable.self).pointee.reload(reason) == NSGI_OK.rawValue
  }

  /// The same, because a file has changed.
  static func begin(_ path: String) {
    Log.line("\(path) has changed: reloading", NSGI_INFO)
    _ = ask("\(path) has changed")
  }
}
