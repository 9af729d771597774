/// Recognises the protocol of a connection by its first bytes; five are enough.
///
///     HTTP/2    "PRI *", which begins its preface and no request of HTTP/1.1 (RFC 9113 §3.4)
///     HTTP      a letter A-Z, then a byte of a method, or a space (RFC 9112 §3); or CR LF (§2.2)
///     FastCGI   0x01, then a record type 1 ... 11 (§3.3)
///     SCGI      a digit, then a digit or ":" (netstring)
///     uwsgi     any other modifier1, a size that can hold a variable (or a ping), and a first name
///               whose length fits that size
///
/// Ambiguous cases: modifier1 1, 13, 48-57 and 65-90 of uwsgi are taken for the other protocols (none of them
/// is a request to an application), and so is modifier1 22, which also begins a TLS handshake and is refused
/// anyway. HTTP methods that do not begin with a letter A-Z are taken for uwsgi. A PROXY header has to be
/// read before.
public enum Sniffer {
  /// What the bytes so far say.
  @frozen public enum Verdict: Equatable, Sendable {
    case needMore
    case gateway(Gateway)
    /// None of the protocols that may come over a socket.
    case unknown
  }

  /// Bytes that are enough to decide in any case.
  public static let bytesAtMost = 5

  /// Looks at the beginning of a connection.
  public static func recognise(_ bytes: UnsafeRawBufferPointer) -> Verdict {
    guard bytes.count >= 2 else { return .needMore }
    let (first, second) = (bytes[0], bytes[1])
    switch first {
    case 0x01: return (1...11).contains(second) ? .gateway(.fastcgi) : .unknown
    case 0x0d where second == 0x0a: return .gateway(.http1)
    case 0x16 where second == 0x03: return .unknown
    case 0x30...0x39: return Ascii.isDigit(second) || second == 0x3a ? .gateway(.scgi) : .unknown
    case 0x50 where bytes[1] == 0x52 && (bytes.count < 3 || bytes[2] == 0x49):
      return speaksHTTP2(bytes).map { .gateway($0 ? .http2 : .http1) } ?? .needMore
    case 0x41...0x5a: return Ascii.isToken(second) || second == 0x20 ? .gateway(.http1) : .unknown
    default: return uwsgi(bytes)
    }
  }

  /// Whether a connection begins with the preface of HTTP/2; nil while undecided.
  public static func speaksHTTP2(_ bytes: UnsafeRawBufferPointer) -> Bool? {
    let preface = HTTP2Grammar.preface
    for index in 0..<min(bytes.count, bytesAtMost) where bytes[index] != preface.utf8Start[index] {
      return false
    }
    return bytes.count < bytesAtMost ? nil : true
  }

  private static func uwsgi(_ bytes: UnsafeRawBufferPointer) -> Verdict {
    guard bytes.count >= 4 else { return .needMore }
    let size = Int(bytes[1]) | Int(bytes[2]) << 8
    if size == 0 { return bytes[0] == UWSGIGrammar.ping ? .gateway(.uwsgi) : .unknown }
    guard size >= 5 else { return .unknown }
    guard bytes.count >= 5 else { return .needMore }
    // The low byte of the first name's length; its high byte can only make it longer.
    return Int(bytes[4]) <= size - 4 ? .gateway(.uwsgi) : .unknown
  }
}
