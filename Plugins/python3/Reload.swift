// --py-autoreload: from a changed file to the application's new code.
import CNSGI
import CPython
import Glibc

/// The extension `nsgi.reload/1` of a server that replaces its workers: `reload` asks for that, and says why.
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

  /// The same because a file has changed. One that has nobody to ask starts its own program again: requests
  /// under way are cut, which is why this is for development.
  static func begin(_ path: String) {
    Log.line("\(path) has changed: reloading", NSGI_INFO)
    if ask("\(path) has changed") { return }
    var words = arguments().map { strdup($0) } + [nil]
    execv("/proc/self/exe", &words)
    Log.line("the server cannot be started again: \(String(cString: strerror(errno)))", NSGI_ERROR)
    for word in words { free(word) }
  }

  /// The command line of this process.
  private static func arguments() -> [String] {
    guard let file = fopen("/proc/self/cmdline", "re") else { return [] }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4096)
    while case let count = fread(&piece, 1, piece.count, file), count > 0 { bytes += piece[..<count] }
    return bytes.dropLast().split(separator: 0, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
  }
}
