// HTTP/1.1 from the client's side, written apart from Sources/Wire: what one end writes the other must
// read.

/// A request to be encoded.
public struct HTTP1Request: Sendable {
  public var method = "GET"
  public var target = "/"
  public var version = "HTTP/1.1"
  public var fields: [(name: String, value: String)] = [("Host", "a")]
  /// The content; its Content-Length or Transfer-Encoding is written unless `fields` has one.
  public var body: [UInt8] = []
  /// Sizes of the chunks in which the content goes; empty sends it with Content-Length.
  public var chunks: [Int] = []
  /// Extension of every chunk-size line, with its semicolon.
  public var chunkExtension = ""
  /// Trailer fields of a chunked content.
  public var trailers: [(name: String, value: String)] = []

  public init() {}

  /// The fields as they go over the wire.
  public var sentFields: [(name: String, value: String)] {
    if !chunks.isEmpty { return fields + [("Transfer-Encoding", "chunked")] }
    return body.isEmpty ? fields : fields + [("Content-Length", String(body.count))]
  }

  /// The request's bytes.
  public var bytes: [UInt8] {
    var head = "\(method) \(target) \(version)\r\n"
    for (name, value) in sentFields { head += "\(name): \(value)\r\n" }
    let start = Array((head + "\r\n").utf8)
    return start + (chunks.isEmpty ? body : chunkedBody)
  }

  private var chunkedBody: [UInt8] {
    var bytes: [UInt8] = []
    var rest = body[...]
    var sizes = chunks[...]
    while !rest.isEmpty {
      let chunk = rest.prefix(max(1, sizes.popFirst() ?? rest.count))
      bytes += Array("\(String(chunk.count, radix: 16, uppercase: true))\(chunkExtension)\r\n".utf8) + chunk
      bytes += Array("\r\n".utf8)
      rest = rest.dropFirst(chunk.count)
    }
    bytes += Array("0\(chunkExtension)\r\n".utf8)
    for (name, value) in trailers { bytes += Array("\(name): \(value)\r\n".utf8) }
    return bytes + Array("\r\n".utf8)
  }
}

/// A response as it stands on an HTTP/1.1 connection, read strictly.
public struct HTTP1Response: Sendable {
  /// What the bytes are instead of a response.
  public struct Malformed: Error, CustomStringConvertible {
    public let description: String
  }

  public private(set) var version = ""
  public private(set) var status = 0
  public private(set) var reason = ""
  public private(set) var fields: [(name: String, value: String)] = []
  public private(set) var body: [UInt8] = []
  /// Bytes that the response takes.
  public private(set) var count = 0

  /// Values of all fields of this name, in lower case.
  public func values(_ name: String) -> [String] {
    fields.filter { $0.name.lowercased() == name }.map(\.value)
  }

  /// Reads the response at the beginning of `bytes` (RFC 9112 §6.3).
  public init(_ bytes: [UInt8], toHead: Bool = false) throws(Malformed) {
    var rest = bytes[...]
    try parseStatusLine(try HTTP1Response.line(&rest))
    while true {
      let line = try HTTP1Response.line(&rest)
      if line.isEmpty { break }
      guard let colon = line.firstIndex(of: ":"), line[line.index(after: colon)...].hasPrefix(" ") else {
        throw Malformed(description: "field line: \(line)")
      }
      fields.append((String(line[..<colon]), String(line[colon...].dropFirst(2))))
    }
    try parseBody(&rest, toHead: toHead)
    count = bytes.count - rest.count
  }

  private mutating func parseStatusLine(_ line: String) throws(Malformed) {
    let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[1].utf8.count == 3, let status = Int(parts[1]) else {
      throw Malformed(description: "status line: \(line)")
    }
    (version, self.status, reason) = (String(parts[0]), status, String(parts[2]))
  }

  private mutating func parseBody(_ rest: inout ArraySlice<UInt8>, toHead: Bool) throws(Malformed) {
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"))
    guard lengths.count + codings.count <= 1 else { throw Malformed(description: "several framings") }
    if toHead || status < 200 || status == 204 || status == 304 { return }
    if codings == ["chunked"] {
      while let chunk = try HTTP1Response.chunk(&rest) { body += chunk }
    } else if let length = lengths.first {
      guard let length = Int(length), length <= rest.count else { throw Malformed(description: "cut off") }
      body = Array(rest.prefix(length))
      rest = rest.dropFirst(length)
    } else {
      body = Array(rest)
      rest = []
    }
  }

  private static func chunk(_ rest: inout ArraySlice<UInt8>) throws(Malformed) -> ArraySlice<UInt8>? {
    let text = try line(&rest)
    guard let size = Int(text, radix: 16), size < rest.count else {
      throw Malformed(description: "chunk: \(text)")
    }
    let data = rest.prefix(size)
    rest = rest.dropFirst(size)
    guard try line(&rest).isEmpty else { throw Malformed(description: "chunk of \(size) without end") }
    return size == 0 ? nil : data
  }

  /// Takes a line; CR and LF stand in it only together and at its end.
  private static func line(_ rest: inout ArraySlice<UInt8>) throws(Malformed) -> String {
    guard let end = rest.firstIndex(where: { $0 == 13 || $0 == 10 }), rest[end...].starts(with: [13, 10])
    else { throw Malformed(description: "line without CR LF") }
    defer { rest = rest[(end + 2)...] }
    return String(decoding: rest[..<end], as: UTF8.self)
  }
}
