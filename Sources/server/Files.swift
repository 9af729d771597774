import Glibc

/// Files that the command line names.
enum Files {
  /// Why a file cannot be read: the system's words.
  struct Unreadable: Error, CustomStringConvertible {
    let description: String
  }

  /// The whole file as text; at most 1 MiB, which no configuration comes near.
  static func read(_ path: String) throws -> String {
    guard let file = fopen(path, "re") else {
      throw Unreadable(description: String(cString: strerror(errno)))
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4096)
    while bytes.count < 1 << 20 {
      let count = fread(&piece, 1, piece.count, file)
      if count == 0 { break }
      bytes += piece[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The working directory; empty when it has none.
  static func workingDirectory() -> String {
    guard let path = getcwd(nil, 0) else { return "" }
    defer { free(path) }
    return String(cString: path)
  }
}
