import Config
import Glibc

/// Files that the command line names.
enum Files {
  /// Bytes of a file; no configuration comes near.
  private static let most = 1 << 20

  /// Milliseconds that whoever writes into a pipe has for the next of it.
  private static let patience: Int32 = 10_000

  /// The whole file as text, which has to be UTF-8. Of what is no file, only a pipe has an end.
  static func read(_ path: String) throws -> String {
    let fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
    guard fd >= 0 else { throw UnreadableFile(String(cString: strerror(errno))) }
    defer { close(fd) }
    let kind = FileSystem.kind(of: fd)
    guard kind == S_IFREG || kind == S_IFIFO else {
      throw UnreadableFile("it is no file that can be read to its end")
    }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4096)
    while bytes.count <= most {
      if kind == S_IFIFO { try wait(for: fd) }
      let count = Glibc.read(fd, &piece, piece.count)
      if count < 0, errno == EAGAIN || errno == EINTR { continue }
      guard count >= 0 else { throw UnreadableFile(String(cString: strerror(errno))) }
      if count == 0 { break }
      bytes += piece[..<count]
    }
    guard bytes.count <= most else {
      throw UnreadableFile(
        "it is longer than 1 MiB, which no configuration is", fix: "name the file that is one")
    }
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    throw UnreadableFile(line: firstBrokenLine(bytes), "this is not UTF-8", fix: "save it in that encoding")
  }

  /// Waits until something has come through a pipe, or its last writer has left. One that nobody has opened
  /// yet has had none to leave. The corresponding C function is `poll`.
  private static func wait(for pipe: Int32) throws {
    var entry = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, patience) == 0 else { return }
    throw UnreadableFile("nobody has written into this pipe for \(patience / 1000) s")
  }

  /// The number of the first line that is no UTF-8.
  private static func firstBrokenLine(_ bytes: [UInt8]) -> Int {
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    return 1 + (lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0)
  }

  /// The working directory; empty when it has none.
  static func workingDirectory() -> String {
    guard let path = getcwd(nil, 0) else { return "" }
    defer { free(path) }
    return String(cString: path)
  }
}
