// The front end's side of FastCGI 1.0, written from the specification and sharing nothing with
// Sources/Wire.
import Wire

/// Bytes of one record (§3.3), numbers with the high byte first.
public func fastCGIRecord(
  type: UInt8, id: Int = 1, _ content: [UInt8] = [], padding: Int = 0, version: UInt8 = 1
) -> [UInt8] {
  precondition(content.count <= 65535 && padding <= 255, "more than a record holds")
  let header: [UInt8] = [
    version, type, UInt8(id / 256), UInt8(id % 256), UInt8(content.count / 256), UInt8(content.count % 256),
    UInt8(padding), 0,
  ]
  return header + content + Array(repeating: 0xee, count: padding)
}

/// What a front end sends for one request.
public struct FastCGIClientRequest: Sendable {
  public var id = 1
  public var role = 1
  public var keepsConnection = false
  public var params: [(name: String, value: String)] = []
  public var body: [UInt8] = []
  /// Content bytes of a PARAMS record and of a STDIN record at most.
  public var paramsPiece = 65535
  public var stdinPiece = 32768
  /// Padding of every record.
  public var padding = 0
  /// STDIN is not sent at all, as to an Authorizer.
  public var sendsStdin = true

  public init(params: [(name: String, value: String)], body: [UInt8] = []) {
    self.params = params
    self.body = body
  }

  /// The records of the request.
  public var bytes: [UInt8] {
    let begin: [UInt8] = [UInt8(role / 256), UInt8(role % 256), keepsConnection ? 1 : 0, 0, 0, 0, 0, 0]
    var bytes = fastCGIRecord(type: 1, id: id, begin, padding: padding)
    bytes += stream(4, params.flatMap { fastCGIPair($0.name, $0.value) }, paramsPiece)
    if sendsStdin { bytes += stream(5, body, stdinPiece) }
    return bytes
  }

  private func stream(_ type: UInt8, _ content: [UInt8], _ piece: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = content[...]
    while !rest.isEmpty {
      bytes += fastCGIRecord(type: type, id: id, Array(rest.prefix(piece)), padding: padding)
      rest = rest.dropFirst(piece)
    }
    return bytes + fastCGIRecord(type: type, id: id, padding: padding)
  }
}

/// A name-value pair (§3.4).
public func fastCGIPair(_ name: String, _ value: String) -> [UInt8] {
  fastCGILengths(name.utf8.count, value.utf8.count) + Array(name.utf8) + Array(value.utf8)
}

/// The lengths of a name and its value (§3.4): a byte each below 128, else four.
public func fastCGILengths(_ name: Int, _ value: Int) -> [UInt8] {
  func length(_ count: Int) -> [UInt8] {
    if count <= 127 { return [UInt8(count)] }
    return [24, 16, 8, 0].map { UInt8(count >> $0 & 0xff) | ($0 == 24 ? 0x80 : 0) }
  }
  return length(name) + length(value)
}

/// What an application sent for one request, or why it is no FastCGI.
public struct FastCGIReply: Sendable {
  public var stdout: [UInt8] = []
  public var stderr: [UInt8] = []
  public var appStatus = 0
  public var protocolStatus = 0
  /// Types of the records in their order.
  public var types: [UInt8] = []
  /// Content and padding lengths of the records in their order.
  public var sizes: [(content: Int, padding: Int)] = []

  /// STDOUT as a CGI response.
  public var reply: Reply { get throws { try Reply(gateway: stdout) } }

  /// Reads the records for `id` up to END_REQUEST and takes them off `bytes`.
  public init(_ bytes: inout ArraySlice<UInt8>, id: Int = 1) throws(SupportError) {
    var stdoutEnded = false
    while true {
      let record = try FastCGIReplyRecord(&bytes)
      guard record.id == id else { throw .malformedReply("record for \(record.id), not \(id)") }
      types.append(record.type)
      sizes.append((record.content.count, record.padding))
      switch record.type {
      case 6:
        guard !stdoutEnded else { throw .malformedReply("STDOUT after its end") }
        stdoutEnded = record.content.isEmpty
        stdout += record.content
      case 7: stderr += record.content
      case 3:
        guard record.content.count == 8 else { throw .malformedReply("END_REQUEST of \(record.content)") }
        appStatus = record.content[..<4].reduce(0) { $0 * 256 + Int($1) }
        protocolStatus = Int(record.content[4])
        guard stdoutEnded || stdout.isEmpty else { throw .malformedReply("STDOUT without its end") }
        return
      default: throw .malformedReply("record of type \(record.type)")
      }
    }
  }
}

/// One record as it is received.
public struct FastCGIReplyRecord: Equatable, Sendable {
  public var type: UInt8
  public var id: Int
  public var content: [UInt8]
  public var padding: Int

  /// Takes one record off `bytes`.
  public init(_ bytes: inout ArraySlice<UInt8>) throws(SupportError) {
    let header = Array(bytes.prefix(8))
    guard header.count == 8 else { throw .malformedReply("only \(header.count) bytes of a record header") }
    guard header[0] == 1 else { throw .malformedReply("record of version \(header[0])") }
    let length = Int(header[4]) * 256 + Int(header[5])
    padding = Int(header[6])
    guard bytes.count >= 8 + length + padding else { throw .malformedReply("record is cut off") }
    type = header[1]
    id = Int(header[2]) * 256 + Int(header[3])
    content = Array(bytes.dropFirst(8).prefix(length))
    bytes = bytes.dropFirst(8 + length + padding)
  }

  /// The content as name-value pairs.
  public func pairs() throws(SupportError) -> [String: String] {
    var pairs: [String: String] = [:]
    var rest = content[...]
    while !rest.isEmpty {
      var counts: [Int] = []
      for _ in 0..<2 {
        guard let first = rest.first else { throw .malformedReply("pair is cut off") }
        let size = first < 128 ? 1 : 4
        guard rest.count >= size else { throw .malformedReply("pair is cut off") }
        counts.append(rest.prefix(size).reduce(0) { $0 * 256 + Int($1) } & 0x7fff_ffff)
        rest = rest.dropFirst(size)
      }
      guard rest.count >= counts[0] + counts[1] else { throw .malformedReply("pair is cut off") }
      let name = String(decoding: rest.prefix(counts[0]), as: UTF8.self)
      pairs[name] = String(decoding: rest.dropFirst(counts[0]).prefix(counts[1]), as: UTF8.self)
      rest = rest.dropFirst(counts[0] + counts[1])
    }
    return pairs
  }
}

extension FastCGIRequestReader: RequestCodec {
  public static var name: String { "fastcgi" }
  public static var carriesManyRequests: Bool { true }
}

extension RawSocket {
  /// Receives up to the END_REQUEST for `id`; what came behind it is received next.
  public func receiveFastCGI(id: Int = 1, _ deadline: Deadline = .usual) throws -> FastCGIReply {
    var bytes: [UInt8] = []
    while true {
      var rest = bytes[...]
      if let reply = try? FastCGIReply(&rest, id: id) {
        putBack(rest)
        return reply
      }
      let some = try receive(65536, deadline)
      guard !some.isEmpty else { throw SupportError.malformedReply("the connection ended after \(bytes)") }
      bytes += some
    }
  }
}
