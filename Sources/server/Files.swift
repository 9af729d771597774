import Glibc

/// Files that the command line names.
enum Files {
  /// Why a file cannot be read: the system's words.
  struct Unreadable: Error, CustomStringConvertible {
    let description: String
  }

  /// Bytes of a file; no configuration comes near.
  private static let most = 1 << 20

  /// The whole file as text, which has to be UTF-8.
  static func read(_ path: String) throws -> String {
    guard let file = fopen(path, "re") else {
      throw Unreadable(description: String(cString: strerror(errno)))
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4096)
    while bytes.count <= most {
      let count = fread(&piece, 1, piece.count, file)
      if count == 0 { break }
      bytes += piece[..<count]
    }
    guard ferror(file) == 0 else {
      throw Unreadable(description: "it is no file that can be read to its end")
    }
    guard bytes.count <= most else {
      throw Unreadable(description: "it is longer than 1 MiB, which no configuration is")
    }
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    throw Unreadable(description: "line \(firstBrokenLine(bytes)) is not UTF-8; save it in that encoding")
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
