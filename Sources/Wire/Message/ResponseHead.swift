/// What an application may get wrong in a response head. Nothing of the offending field leaves the server.
@frozen public enum ResponseError: Error, Equatable, Sendable {
  /// Status code outside 100 … 599, or a reason phrase with control characters (RFC 9112 §4).
  case invalidStatus
  /// A field name that is not a token (RFC 9110 §5.1).
  case invalidName
  /// CR, LF, NUL or another control character in a value (RFC 9110 §5.5).
  case invalidValue
  /// A field that belongs to the connection or to the server: Connection, Keep-Alive, TE, Trailer (except as
  /// an announcement), Transfer-Encoding, Upgrade, Proxy-Authenticate, Proxy-Authorization, Status.
  case reservedName
  /// Content-Length that is not a number, or two that differ (RFC 9110 §8.6).
  case invalidLength
  /// A trailer that has to stand in the head (RFC 9110 §6.5.1).
  case headOnly
  /// X-Sendfile twice: one file is sent, and the other one's name is none of the client's business.
  case sendfileTwice
  /// More than `Limits.responseHeadBytes`.
  case tooLarge
}

/// A response head as the application gives it: validated, and kept in the one form that all five protocols
/// share, `Name: value CR LF`. Reused from exchange to exchange.
///
/// The writers take it `inout` and change nothing: a borrowed one would first be copied to the stack.
public struct ResponseHead: ~Copyable {
  /// Status code, 100 … 599; 0 while there is none.
  public private(set) var status = 0
  /// The reason phrase if the app gave one of its own, otherwise empty: the standard one is sent.
  public private(set) var reason = ByteBuffer()
  /// The phrase of the head that begins next, if the app has given one.
  private var announced = ByteBuffer()
  /// All fields, ready to be sent.
  public private(set) var fields = ByteBuffer()
  /// All fields, followed by as much memory as `Cursor.put(padded:)` needs.
  @inline(__always)
  mutating func paddedFields() -> UnsafeRawBufferPointer {
    fields.reserve(Cursor.step)
    return fields.bytes
  }
  /// Bytes of the phrase and the fields.
  @inline(__always) var textCount: Int { reason.count &+ fields.count }
  /// Content-Length as the app gave it; -1 without.
  public private(set) var contentLength: Int64 = -1
  public private(set) var hasDate = false
  public private(set) var hasServer = false
  public private(set) var hasLocation = false
  /// Trailers follow the body, as far as the client takes them: Trailer is among the fields.
  public private(set) var announcesTrailers = false
  /// X-Sendfile is among the fields.
  public var hasSendfile: Bool { sendfileLine.count > 0 }
  /// Where the X-Sendfile line stands in `fields`.
  private var sendfileLine = ByteRange.none
  /// Bytes of fields at most.
  private let limit: Int

  public init(limit: Int) { self.limit = limit }

  /// Begins again. Throws `.invalidStatus`.
  public mutating func begin(status: Int, reason text: UnsafeRawBufferPointer? = nil) throws(ResponseError) {
    reset()
    guard (100...599).contains(status) else { throw .invalidStatus }
    if let text {
      guard Ascii.isFieldValue(text) else { throw .invalidStatus }
      reason.append(text)
    }
    self.status = status
  }

  /// Keeps a reason phrase for the next `beginAnnounced`; empty: the standard one. Throws `.invalidStatus`.
  public mutating func announce(reason text: UnsafeRawBufferPointer) throws(ResponseError) {
    guard Ascii.isFieldValue(text) else { throw .invalidStatus }
    announced.removeAll()
    announced.append(text)
  }

  /// Begins again, with the phrase that was announced, once. Throws `.invalidStatus`.
  @inline(__always)
  public mutating func beginAnnounced(status: Int) throws(ResponseError) {
    if announced.isEmpty { try begin(status: status) } else { try beginWithPhrase(status: status) }
  }

  @inline(never)
  private mutating func beginWithPhrase(status: Int) throws(ResponseError) {
    var text = ByteBuffer()
    swap(&text, &announced)
    try begin(status: status, reason: text.bytes)
  }

  /// There is no head any more: nothing of it counts until the next one begins.
  @inline(__always)
  public mutating func end() {
    status = 0
    if !announced.isEmpty { announced.removeAll() }
  }

  /// Forgets everything; the memory is kept.
  public mutating func reset() {
    status = 0
    reason.removeAll()
    announced.removeAll()
    fields.removeAll()
    contentLength = -1
    (hasDate, hasServer, hasLocation, announcesTrailers) = (false, false, false, false)
    sendfileLine = .none
  }

  /// Adds a field after checking name and value.
  ///
  /// - Parameter mayAnnounce: Trailer is allowed, and announces trailers; otherwise it is a field of the
  ///   connection, and refused.
  public mutating func add(
    name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, mayAnnounce: Bool = false
  ) throws(ResponseError) {
    // Skips the check of the name for the most common field, which no rule concerns.
    let isType = name.count == 12 && Ascii.matches(name, "content-type")
    guard isType || Ascii.isToken(name) else { throw .invalidName }
    guard Ascii.isFieldValue(value) else { throw .invalidValue }
    if !isType, try !classify(name, value, mayAnnounce) { return }
    guard fields.count + name.count + value.count + 4 <= limit else { throw .tooLarge }
    if name.count == 10, Ascii.matches(name, "x-sendfile") {
      if hasSendfile { throw .sendfileTwice }
      sendfileLine = ByteRange(fields.count, name.count + value.count + 4)
    }
    write(name, value)
  }

  /// Appends one line after one check of the room.
  @inline(__always)
  private mutating func write(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
    fields.append(atMost: name.count + value.count + 4) { cursor in
      cursor.put(name)
      cursor.put(": ")
      cursor.put(value)
      cursor.put("\r\n")
    }
  }

  /// Takes the X-Sendfile line out of the fields and returns its value.
  public mutating func takeSendfile() -> ByteBuffer? {
    guard hasSendfile else { return nil }
    var rest = ByteBuffer()
    var value = ByteBuffer()
    let all = fields.bytes
    let line = sendfileLine
    rest.append(UnsafeRawBufferPointer(rebasing: all[..<Int(line.start)]))
    rest.append(UnsafeRawBufferPointer(rebasing: all[line.end...]))
    value.append(UnsafeRawBufferPointer(rebasing: all[(Int(line.start) + 12)..<(line.end - 2)]))
    fields = rest
    sendfileLine = .none
    return value
  }

  /// Removes every field of a name. With Server removed, the head has no Server line at all.
  public mutating func remove(_ name: UnsafeRawBufferPointer) {
    if name.count == 6, Ascii.matches(name, "server") { hasServer = true }
    var rest = ByteBuffer()
    var named = ByteRange.none
    let all = fields.bytes
    var start = 0
    while start < all.count {
      let end = all[start...].firstIndex(of: 0x0a).map { $0 + 1 } ?? all.count
      let line = all[start..<end]
      let isNamed =
        line.count > name.count && line[start + name.count] == 0x3a
        && zip(line, name).allSatisfy { Ascii.lower($0) == Ascii.lower($1) }
      if !isNamed {
        if hasSendfile, start == Int(sendfileLine.start) { named = ByteRange(rest.count, line.count) }
        rest.append(UnsafeRawBufferPointer(rebasing: line))
      }
      start = end
    }
    if rest.count == all.count { return }
    fields = rest
    sendfileLine = named
  }

  /// Announces trailers in the app's place, which has begun a head without saying so.
  mutating func announce(trailers: borrowing TrailerSection) {
    guard !announcesTrailers else { return }
    announcesTrailers = true
    fields.append("Trailer: ")
    fields.append(trailers.names.bytes)
    fields.append("\r\n")
  }

  /// No trailers follow after all.
  public mutating func withdrawTrailers() {
    announcesTrailers = false
    let name: StaticString = "trailer"
    remove(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
  }

  /// Declares the length in the app's place: the body is not the one that the app wrote.
  public mutating func setLength(_ length: Int64) { contentLength = length }

  /// Adds whole lines that the server itself has composed; Content-Length is not among them.
  public mutating func add(lines: UnsafeRawBufferPointer) { fields.append(lines) }

  /// Adds a field that the server itself writes.
  public mutating func add(_ name: StaticString, _ value: StaticString) {
    fields.append(name)
    fields.append(": ")
    fields.append(value)
    fields.append("\r\n")
  }

  /// Notes the fields that matter to the rules; false for one that the writer produces itself.
  private mutating func classify(
    _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ mayAnnounce: Bool
  ) throws(ResponseError) -> Bool {
    switch name.count {
    case 4: if Ascii.matches(name, "date") { hasDate = true }
    case 6:
      if Ascii.matches(name, "server") { hasServer = true }
      if Ascii.matches(name, "status") { throw .reservedName }
    case 8: if Ascii.matches(name, "location") { hasLocation = true }
    case 14:
      guard Ascii.matches(name, "content-length") else { return true }
      guard let length = Ascii.decimal(value), contentLength < 0 || contentLength == length else {
        throw .invalidLength
      }
      contentLength = length
      return false
    case 7 where mayAnnounce && Ascii.matches(name, "trailer"): announcesTrailers = true
    case 2, 7, 10, 16, 17, 18, 19: if isHopByHop(name) { throw .reservedName }
    default: break
    }
    return true
  }

  /// Fields of one connection only (RFC 9110 §7.6.1, RFC 9113 §8.2.2): the server speaks for the connection.
  private func isHopByHop(_ name: UnsafeRawBufferPointer) -> Bool {
    Ascii.matches(name, "te") || Ascii.matches(name, "trailer") || Ascii.matches(name, "upgrade")
      || Ascii.matches(name, "connection") || Ascii.matches(name, "keep-alive")
      || Ascii.matches(name, "transfer-encoding") || Ascii.matches(name, "proxy-authenticate")
      || Ascii.matches(name, "proxy-authorization") || Ascii.matches(name, "proxy-connection")
  }
}
