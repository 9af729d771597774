/// What the path of a request may name below a directory.
public enum FilePath {
  /// The part of a decoded path after a prefix of whole segments, without its leading slashes; nil if the
  /// path lies elsewhere.
  public static func rest(_ path: UnsafeRawBufferPointer, below prefix: [UInt8]) -> UnsafeRawBufferPointer? {
    guard path.count >= prefix.count else { return nil }
    for index in prefix.indices where path[index] != prefix[index] { return nil }
    let isBorder = path.count == prefix.count || prefix.last == 0x2f || prefix.isEmpty
    guard isBorder || path[prefix.count] == 0x2f else { return nil }
    return UnsafeRawBufferPointer(rebasing: path[prefix.count...].drop { $0 == 0x2f })
  }

  /// Whether each segment is a name: neither `.` nor `..`, nor empty, and without NUL; the path may begin and
  /// end with a slash. So a file has only one path, and a rule that guards the path guards the file: the
  /// kernel takes `//a` and `/b/../a` for `/a`.
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
    hasDotted(path) { $0.count == 1 || $0.count == 2 && $0[1] == 0x2e }
  }

  /// Whether a segment begins with a dot, as names do that lie beside a site but are not part of it: `.git`,
  /// `.env`, `.htpasswd`. `.well-known` is for everybody (RFC 8615).
  public static func hasHiddenName(_ path: UnsafeRawBufferPointer) -> Bool {
    hasDotted(path) { !$0.elementsEqual(".well-known".utf8) }
  }

  /// Whether one of the segments that begin with a dot is wanted. Every request for a file asks: nothing is
  /// allocated.
  @inline(__always)
  private static func hasDotted(
    _ path: UnsafeRawBufferPointer, _ isWanted: (UnsafeRawBufferPointer) -> Bool
  ) -> Bool {
    var last: UInt8 = 0x2f
    for place in path.indices {
      let byte = path[place]
      if byte == 0x2e, last == 0x2f {
        let segment = path[place...].prefix { $0 != 0x2f }
        if isWanted(UnsafeRawBufferPointer(rebasing: segment)) { return true }
      }
      last = byte
    }
    return false
  }

  /// Where to redirect for a directory that was named without its slash: the path, encoded, with one slash
  /// before it and one after it. Two slashes before it would name another host (RFC 3986 §4.2).
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
