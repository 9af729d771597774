import Glibc
import Wire

/// X-Sendfile over HTTP: the app names a file, the server sends it, but only from below `--sendfile-root`.
/// On the gateway protocols the field passes through: there the front end serves the file.
extension Worker {
  /// Takes X-Sendfile out of a response head and opens the file that it names; the answer is 403 or 404 if it
  /// may not or cannot be served. Without `--sendfile-root` the field is dropped: it is none of the client's
  /// business.
  func takeSendfile(_ exchange: ExchangePointer) -> FileStretch? {
    guard let value = exchange.response.takeSendfile() else { return nil }
    guard let root = settings.sendfileRoot else { return nil }
    let path = String(decoding: value.bytes, as: UTF8.self)
    do {
      let fd = try SendFile.open(path, below: root)
      let file = try SendFile.whole(fd, copies: limits.unsizedFileBytes)
      exchange.response.setLength(file.left)
      return file
    } catch {
      let isForbidden = error.code == EXDEV || error.code == EACCES || error.code == ELOOP
      log.error("X-Sendfile \(path) of \(app(exchange).name): \(error.reason)")
      try? exchange.response.begin(status: isForbidden ? 403 : 404)
      exchange.response.setLength(0)
      return FileStretch()
    }
  }
}

/// Opens a file that must lie below a directory.
enum SendFile {
  /// All of an open file, whose descriptor it takes. A file that does not know its size is read beforehand,
  /// up to this many bytes: its length is in the head.
  static func whole(_ fd: Int32, copies limit: Int) throws(SystemError) -> FileStretch {
    let size = try System.regularFileSize(fd)
    do throws(SystemError) {
      guard try !System.fileStatus(fd).knowsSize, let copy = try System.copy(fd, atMost: limit) else {
        return FileStretch(fd: fd, offset: 0, count: size)
      }
      System.close(fd)
      return FileStretch(fd: copy.fd, offset: 0, count: copy.size)
    } catch {
      System.close(fd)
      throw error
    }
  }

  /// Opens `path`, absolute below `root` or relative to it; EXDEV when it leads outside, by "..", a link
  /// or an absolute path elsewhere.
  static func open(_ path: String, below root: String) throws(SystemError) -> Int32 {
    var rest = path[...]
    if path.hasPrefix("/") {
      let prefix = root.hasSuffix("/") ? root : root + "/"
      guard path.hasPrefix(prefix) else { throw SystemError("openat2", EXDEV) }
      // Programs that join paths may join them with two slashes.
      rest = path.dropFirst(prefix.count).drop { $0 == "/" }
    }
    let directory = try System.openDirectory(root)
    defer { System.close(directory) }
    return try System.openBeneath(directory, String(rest))
  }
}
