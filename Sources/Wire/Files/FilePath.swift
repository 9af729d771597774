/// What the path of a request may name below a directory.
public enum FilePath {
  /// The part of a decoded path behind a prefix of whole segments, without the slashes that it begins with;
  /// nil if the path lies elsewhere.
  public static func rest(_ path: UnsafeRawBufferPointer, below prefix: [UInt8]) -> UnsafeRawBufferPointer? {
    guard path.count >= prefix.count else { return nil }
    for index in prefix.indices where path[index] != prefix[index] { return nil }
    let isBorder = path.count == prefix.count || prefix.last == 0x2f || prefix.isEmpty
    guard isBorder || path[prefix.count] == 0x2f else { return nil }
    return UnsafeRawBufferPointer(rebasing: path[prefix.count...].drop { $0 == 0x2f })
  }

  /// Whether each segment is a name: neither `.` nor `..`, nor empty, and without NUL; a slash may begin the
  /// path and end it. So a file has one path, and what guards that path guards the file: the kernel takes
  /// `//a` and `/b/../a` for `/a`.
  public static func isPlain(_ path: UnsafeRawBufferPointer) -> Bool {
    var last: UInt8 = 0
    for byte in path {
      if byte == 0 || byte == 0x2f && last == 0x2f { return false }
      last = byte
    }
    return !hasDots(path)
  }

  /// Whether a segment is `.` or `..`.
  public static func hasDots(_ path: UnsafeRawBufferPointer) -> Bool {
    path.split(separator: 0x2f).contains { $0.elementsEqual([0x2e]) || $0.elementsEqual([0x2e, 0x2e]) }
  }

  /// Where a directory that was named without its slash lies: the path, encoded, with one slash in front and
  /// one behind. Two in front would name another host (RFC 3986 §4.2).
  public static func location(
    ofDirectory path: UnsafeRawBufferPointer, query: UnsafeRawBufferPointer
  ) -> [UInt8] {
    var out = ByteBuffer()
    out.append(0x2f)
    for byte in path.drop(while: { $0 == 0x2f || $0 == 0x5c }) { out.append(decoded: byte) }
    out.append(0x2f)
    if !query.isEmpty {
      out.append(0x3f)
      for byte in query { byte > 0x20 && byte < 0x7f ? out.append(byte) : out.append(escape: byte) }
    }
    return Array(out.bytes)
  }
}
