/// One name and its value, as ranges over the head's bytes.
@frozen public struct Field: Sendable {
  public let name: ByteRange
  public let value: DelimitedRange
  public let known: KnownName

  @inline(__always)
  init(name: ByteRange, value: DelimitedRange, known: KnownName) {
    (self.name, self.value, self.known) = (name, value, known)
  }

  /// The same after the bytes have moved in their buffer.
  func moved(by distance: Int) -> Field {
    let name = ByteRange(Int(name.start) + distance, Int(name.count))
    return Field(name: name, value: value.moved(by: distance), known: known)
  }
}

/// The head of a request: what the wire said, as ranges, before the normaliser gives it meaning.
///
/// Filled by a reader, lives in an `Exchange`, is reset and reused: its table is allocated once. Ranges count
/// from the beginning of the buffer that the reader was given, or from `assembled` if the head was not in one
/// piece there (FastCGI PARAMS that straddle records, §3.4).
public struct RequestHead: ~Copyable {
  /// What the names in the table are.
  @frozen public enum Form: UInt8, Sendable {
    /// HTTP header fields.
    case fields
    /// CGI meta-variables.
    case variables
  }

  public var form: Form = .fields
  /// HTTP: the method.
  public var method = DelimitedRange.none
  /// HTTP: the request target as on the request line.
  public var target = DelimitedRange.none
  /// HTTP: path and query of the target: all of it in origin-form, `*` in asterisk-form, everything after the
  /// authority in absolute-form (RFC 9112 §3.2; empty or beginning with `?` means `/` before it).
  public var path = DelimitedRange.none
  /// HTTP: the authority of an absolute-form target, which counts instead of Host (RFC 9112 §3.2.2); empty
  /// with any other. A piece of the target, immediately followed by the path.
  public var authority = ByteRange.none
  /// HTTP: bytes of the name in Host, which is followed by a port or nothing; -1: not counted.
  var hostNameCount = -1
  /// The protocol is HTTP/2.
  public internal(set) var isHTTP2 = false
  /// HTTP/2: an extended CONNECT (RFC 8441) that asks for a WebSocket, as Upgrade does in HTTP/1.1. It has no
  /// body; DATA that comes belongs to the socket.
  public internal(set) var asksForWebSocket = false
  /// HTTP/1.x minor version; 1 for the other gateways, where the front end speaks to the client.
  public var minorVersion: UInt8 = 1
  public var framing = BodyFraming.none
  /// The body is chunked.
  @inlinable public var isChunked: Bool { if case .chunked = framing { true } else { false } }
  /// FastCGI: the end of STDIN has come with the head.
  @usableFromInline var isEmptyStream = false
  /// No body follows: the reader's next event is `.end`, whatever the bytes.
  @inlinable public var endsRequest: Bool { framing.isNone || isEmptyStream }
  /// The client reads interim responses: it speaks HTTP/1.1 or HTTP/2 itself (RFC 9110 §15.2). Front ends of
  /// gateway protocols have no place for them.
  @inlinable @inline(__always)
  public var takesInterim: Bool { form == .fields && minorVersion >= 1 }
  /// The protocol and this request allow another request on the connection.
  public var persists = false
  /// `Expect: 100-continue` was sent by an HTTP/1.1 client.
  public var expectsContinue = false
  /// FastCGI role is Authorizer (§6.3): no body, the answer may carry `Variable-` headers.
  public var isAuthorizer = false
  /// The length of the body was stated, even if it is 0: an app is told it too.
  public var statesLength = false
  /// Variables say that there is no body, and that the client sent it in chunks: any bytes after the head
  /// would be those chunks.
  public var mayHaveChunks = false
  /// uwsgi, modifier1 30: PATH_INFO is the whole path, from which SCRIPT_NAME has to be removed.
  public var hasWholePath = false
  /// The names of the table own the byte after them, as the values do.
  var hasDelimitedNames = false

  /// The end of the head's own bytes, among those that the ranges count from. Bytes after it belong to
  /// somebody else, even to a delimited range that ends there: it is copied.
  public var end = 0

  public private(set) var count = 0
  public let capacity: Int
  let table: UnsafeMutablePointer<Field>
  /// For each known name the position of its field, counted from 1; 0 without one. Behind a pointer: an array
  /// inside the record would be copied to the stack to read it at a variable position.
  let index: UnsafeMutablePointer<UInt16>
  /// Head bytes that a reader had to assemble; usually without a block.
  public var assembled = ByteBuffer()

  /// - Parameter capacity: fields at most, 1 … 65535.
  public init(capacity: Int) {
    precondition(1...65535 ~= capacity, "positions are kept in 16 bits")
    self.capacity = capacity
    table = .allocate(capacity: capacity)
    index = .allocate(capacity: RequestHead.indexCount)
    index.initialize(repeating: 0, count: RequestHead.indexCount)
  }

  deinit {
    table.deallocate()
    index.deallocate()
  }

  /// One more than the last raw value of `KnownName`, rounded up to whole words.
  private static let indexCount = 40

  /// Empties the head for the next request.
  public mutating func reset(form: Form) {
    self.form = form
    method = .none
    target = .none
    path = .none
    authority = .none
    hostNameCount = -1
    statesLength = false
    mayHaveChunks = false
    hasWholePath = false
    hasDelimitedNames = false
    minorVersion = 1
    framing = .none
    isEmptyStream = false
    persists = false
    expectsContinue = false
    isAuthorizer = false
    (isHTTP2, asksForWebSocket) = (false, false)
    end = 0
    count = 0
    index.update(repeating: 0, count: RequestHead.indexCount)
    if assembled.block != nil { assembled = ByteBuffer() }
  }

  /// Adds a field; false when the table is full. Of several fields with one known name, `first` finds the
  /// first.
  @inline(__always)
  mutating func append(name: ByteRange, value: DelimitedRange, known: KnownName) -> Bool {
    guard count < capacity else { return false }
    (table + count).initialize(to: Field(name: name, value: value, known: known))
    count &+= 1
    if known != .other, index[Int(known.rawValue)] == 0 {
      index[Int(known.rawValue)] = UInt16(truncatingIfNeeded: count)
    }
    return true
  }

  /// Says how many fields the table has now.
  @inline(__always)
  mutating func added(_ count: Int) { self.count = count }

  public subscript(position: Int) -> Field { table[position] }

  /// Gives the field at a position another value.
  mutating func replaceValue(at position: Int, by value: DelimitedRange) {
    let field = table[position]
    table[position] = Field(name: field.name, value: value, known: field.known)
  }

  /// Moves all ranges, because the bytes of an incomplete head have moved in their buffer.
  mutating func shift(by distance: Int) {
    (method, target, path) = (
      method.moved(by: distance), target.moved(by: distance), path.moved(by: distance)
    )
    if !authority.isEmpty { authority.start = UInt32(Int(authority.start) + distance) }
    for position in 0..<count { table[position] = table[position].moved(by: distance) }
  }

  /// The value that counts among those of this name, or nil: the first one with HTTP, SCGI and CGI, the last
  /// one with FastCGI and uwsgi.
  @inline(__always)
  public func first(_ known: KnownName) -> DelimitedRange? {
    let position = index[Int(known.rawValue)]
    return position == 0 ? nil : table[Int(position) &- 1].value
  }

  /// Whether a client that reads interim responses takes trailers too: over HTTP/1.1 it has to say so (TE,
  /// RFC 9110 §6.5.1, §10.1.4).
  public func takesTrailers(in base: UnsafeRawPointer) -> Bool {
    if isHTTP2 { return true }
    guard first(.te) != nil else { return false }
    for place in 0..<count where table[place].known == .te {
      let value = table[place].value.bytes(in: base)
      var position = 0
      while let member = MessageRules.member(value, &position) {
        if Ascii.matches(member, "trailers") { return true }
      }
    }
    return false
  }

  /// The bytes followed by a NUL: written over the delimiter or length that they own; in a copy if that lies
  /// outside the head.
  @inline(__always)
  public func ended(
    _ range: DelimitedRange, _ base: UnsafeMutableRawPointer, _ arena: inout Arena
  ) -> Text {
    guard range.end < end else { return Text(arena.copy(range.bytes(in: base)), Int(range.count)) }
    let bytes = base.assumingMemoryBound(to: UInt8.self)
    bytes[range.end] = 0
    return Text(bytes + Int(range.start), Int(range.count))
  }

  /// The name of a variable followed by a NUL: in place, if the protocol leaves a byte for it.
  @inline(__always)
  public func endedName(
    _ field: Field, _ base: UnsafeMutableRawPointer, _ arena: inout Arena
  ) -> Text {
    guard hasDelimitedNames else {
      return Text(arena.copy(field.name.bytes(in: base)), Int(field.name.count))
    }
    return ended(DelimitedRange(range: field.name), base, &arena)
  }

  /// Where the ranges count from, `buffer` being the buffer that the reader was given.
  public func base(_ buffer: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
    assembled.base ?? buffer
  }
}
