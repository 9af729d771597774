/// The field block of a request (RFC 9113 §8.3): decoded into the head's own memory, field by field, with a
/// check of the limits before anything is kept; whatever is wrong with it, the whole block is decoded, since
/// the next block needs the table (§4.3).
struct HTTP2Fields {
  /// What a block is.
  enum Purpose {
    case request
    /// Behind the body of a request.
    case trailers
    /// It has to be decoded, and nothing else.
    case unwanted
  }

  private let limits: HeadLimits
  private let purpose: Purpose
  /// Trailers that are kept.
  private var trailers = 0
  /// The first error.
  private(set) var error: HTTP2Error?
  private var isBehindPseudo = false
  private var hasMethod = false
  private var hasScheme = false
  private var hasPath = false
  private var hasAuthority = false
  private var hasProtocol = false
  private var isForWebSocket = false
  private var host = ByteRange.none
  private var hasHost = false
  private var hasType = false
  private var continues = false
  /// Content-Length; -1 if absent.
  private(set) var contentLength: Int64 = -1
  /// The place of the first Cookie in the table; -1 if there is none.
  private var cookie = -1
  /// What Priority says; nil without it.
  private(set) var priority: HTTP2Priority?
  /// Bytes as SETTINGS_MAX_HEADER_LIST_SIZE counts them (§6.5.2).
  private var size = 0
  /// What each field counts in addition to its bytes.
  private static let overhead = 32

  init(limits: HeadLimits, _ purpose: Purpose) {
    self.limits = limits
    self.purpose = purpose
  }

  /// Reads a block into `head`, which is empty; trailers into its assembled bytes only, as `name NUL value
  /// NUL` each.
  ///
  /// - Throws: the error that ends the connection. `error` afterwards tells what is wrong with this request.
  mutating func read(
    _ block: UnsafeRawBufferPointer, _ decoder: inout HPACKDecoder, _ head: inout RequestHead
  ) throws(HTTP2Error) {
    var position = 0
    var text = ByteBuffer()
    swap(&text, &head.assembled)
    defer { swap(&text, &head.assembled) }
    text.reserve(block.count * 2 + 64)
    decoder.begin()
    // This much cannot be a mistake. The rest is not read: the connection ends.
    let flood = 8 * limits.headBytes
    do throws(HPACKError) {
      while size <= flood {
        let mark = text.count
        guard let field = try decoder.next(block, &position, into: &text) else { break }
        size += Int(field.name.count) + Int(field.value.count) + HTTP2Fields.overhead
        if size > limits.headBytes, error == nil { error = .headTooLarge }
        if error == nil, let base = text.base { note(field.name, field.value, base, &head, &text) }
        // A refused request needs no memory.
        if !keeps(field.name, text.base) { text.truncate(to: mark) }
      }
    } catch { throw .compression(error) }
    if size > flood { throw .flood(.fields) }
    head.end = text.count
    if error == nil, purpose == .request, let base = text.base { conclude(&head, base) }
  }

  /// Whether the bytes of a field that was read are wanted.
  private func keeps(_ name: ByteRange, _ base: UnsafeMutableRawPointer?) -> Bool {
    guard error == nil, let base else { return false }
    return switch purpose {
    case .request: true
    case .trailers: !HeadOnlyFields.holds(name.bytes(in: base))
    case .unwanted: false
    }
  }

  private mutating func note(
    _ name: ByteRange, _ value: ByteRange, _ base: UnsafeRawPointer, _ head: inout RequestHead,
    _ text: inout ByteBuffer
  ) {
    let (nameBytes, valueBytes) = (name.bytes(in: base), value.bytes(in: base))
    if nameBytes.first == UInt8(ascii: ":") {
      return pseudo(nameBytes, value, valueBytes, &head)
    }
    isBehindPseudo = true
    guard HTTP2Fields.isName(nameBytes) else { return fail(.nameMalformed) }
    guard HTTP2Fields.isValue(valueBytes) else { return fail(.valueMalformed) }
    let known = KnownName.field(nameBytes)
    guard purpose == .request else { return noteTrailer(known, nameBytes, valueBytes) }
    switch known {
    case .connection, .transferEncoding, .upgrade, .keepAlive: return fail(.connectionField)
    case .te where !Ascii.matches(valueBytes, "trailers"): return fail(.teMalformed)
    case .host:
      guard !hasHost, Authority.isValid(valueBytes) else { return fail(.authorityMalformed) }
      (hasHost, host) = (true, value)
    case .contentLength:
      guard contentLength < 0, let length = Ascii.decimal(valueBytes) else { return fail(.lengthMalformed) }
      contentLength = length
    case .contentType:
      if hasType { return fail(.typeDuplicate) }
      hasType = true
    case .expect:
      guard Ascii.matches(valueBytes, "100-continue") else { return fail(.expectationUnknown) }
      continues = true
    case .cookie where cookie >= 0: return join(value, &head, &text)
    case .cookie: cookie = head.count
    case .other where nameBytes.count == 8 && Ascii.equals(nameBytes, "priority"): prioritise(valueBytes)
    case .other where nameBytes.count == 16 && Ascii.equals(nameBytes, "proxy-connection"):
      return fail(.connectionField)
    default: break
    }
    // As over HTTP/1.1, where there is a limit on fields too.
    guard head.count < limits.fields else { return fail(.tooManyFields) }
    let isAdded = head.append(
      name: name, value: DelimitedRange(Int(value.start), endedAt: value.end), known: known)
    if !isAdded { fail(.tooManyFields) }
  }

  /// A field behind the body.
  private mutating func noteTrailer(
    _ known: KnownName, _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
  ) {
    switch known {
    case .connection, .transferEncoding, .upgrade, .keepAlive: return fail(.connectionField)
    case .te where !Ascii.matches(value, "trailers"): return fail(.teMalformed)
    case .other where name.count == 16 && Ascii.equals(name, "proxy-connection"):
      return fail(.connectionField)
    default: break
    }
    trailers += 1
    if trailers > limits.fields { fail(.tooManyFields) }
  }

  private mutating func fail(_ error: HTTP2Error) { self.error = error }

  private mutating func pseudo(
    _ name: UnsafeRawBufferPointer, _ range: ByteRange, _ value: UnsafeRawBufferPointer,
    _ head: inout RequestHead
  ) {
    guard purpose == .request else { return fail(.trailersMalformed) }
    guard !isBehindPseudo, HTTP2Fields.isValue(value) else { return fail(.pseudoField) }
    let delimited = DelimitedRange(Int(range.start), endedAt: range.end)
    if Ascii.equals(name, ":method"), !hasMethod {
      hasMethod = true
      guard Ascii.isToken(value), value.count <= HTTP1Grammar.methodBytes else { return fail(.pseudoMissing) }
      head.method = delimited
    } else if Ascii.equals(name, ":path"), !hasPath {
      hasPath = true
      (head.target, head.path) = (delimited, delimited)
    } else if Ascii.equals(name, ":scheme"), !hasScheme {
      hasScheme = true
      if !HTTP2Fields.isScheme(value) { fail(.pseudoMissing) }
    } else if Ascii.equals(name, ":authority"), !hasAuthority {
      hasAuthority = true
      guard Authority.isValid(value) else { return fail(.authorityMalformed) }
      head.authority = range
    } else if Ascii.equals(name, ":protocol"), !hasProtocol {
      hasProtocol = true
      guard Ascii.isToken(value) else { return fail(.pseudoMissing) }
      isForWebSocket = Ascii.matches(value, "websocket")
    } else {
      fail(.pseudoField)
    }
  }

  /// Cookie may come in crumbs, which are one field to an application (§8.2.3).
  private mutating func join(_ crumb: ByteRange, _ head: inout RequestHead, _ text: inout ByteBuffer) {
    let before = head[cookie].value.range
    let start = text.count
    text.reserve(Int(before.count) + Int(crumb.count) + 3)
    guard let base = text.base else { return }
    text.append(before.bytes(in: base))
    text.append("; ")
    text.append(crumb.bytes(in: base))
    let value = DelimitedRange(start, endedAt: text.count)
    text.append(0)
    // Each crumb copies what came before: that counts.
    size += Int(before.count)
    head.replaceValue(at: cookie, by: value)
  }

  /// Checks the head as a whole (§8.3.1, RFC 8441 §4).
  private mutating func conclude(_ head: inout RequestHead, _ base: UnsafeRawPointer) {
    let method = head.method.bytes(in: base)
    let isConnect = hasMethod && Ascii.equals(method, "CONNECT")
    if isConnect, !hasProtocol { return fail(.connectUnsupported) }
    if hasProtocol, !isConnect { return fail(.pseudoField) }
    guard hasMethod, hasScheme, hasPath, !head.path.isEmpty else { return fail(.pseudoMissing) }
    let path = head.path.bytes(in: base)
    let isAsterisk = path.count == 1 && path[0] == UInt8(ascii: "*") && Ascii.equals(method, "OPTIONS")
    let end = HTTP1Grammar.endOfTarget(base, Int(head.path.start), head.path.end)
    guard end == head.path.end, path[0] == UInt8(ascii: "/") || isAsterisk else {
      return fail(.pathMalformed)
    }
    if hasAuthority, hasHost, !HTTP2Fields.isSame(head.authority.bytes(in: base), host.bytes(in: base)) {
      return fail(.authorityMalformed)
    }
    if isConnect { return concludeConnect(&head) }
    head.isHTTP2 = true
    head.statesLength = contentLength >= 0
    if contentLength > limits.bodyBytes { return fail(.bodyTooLarge) }
    head.expectsContinue = continues
  }

  /// Extended CONNECT, whose head is well-formed: for what, and without a body (RFC 9110 §9.3.6)?
  private mutating func concludeConnect(_ head: inout RequestHead) {
    guard isForWebSocket else { return fail(.protocolUnsupported) }
    guard contentLength <= 0 else { return fail(.lengthMalformed) }
    (head.isHTTP2, head.asksForWebSocket) = (true, true)
  }

  /// Whether both are equal, ignoring the case of ASCII letters.
  private static func isSame(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
    one.count == other.count && zip(one, other).allSatisfy { Ascii.lower($0) == Ascii.lower($1) }
  }

  /// A token without upper-case letters (§8.2).
  private static func isName(_ name: UnsafeRawBufferPointer) -> Bool {
    Ascii.isToken(name) && !name.contains { $0 &- 0x41 < 26 }
  }

  /// A letter, and behind it letters, digits, "+", "-" and "." (RFC 3986 §3.1).
  private static func isScheme(_ scheme: UnsafeRawBufferPointer) -> Bool {
    guard let first = scheme.first, Ascii.lower(first) &- 0x61 < 26 else { return false }
    return scheme.allSatisfy { byte in
      switch Ascii.lower(byte) {
      case 0x61...0x7a, 0x30...0x39, 0x2b, 0x2d, 0x2e: true
      default: false
      }
    }
  }

  /// No control characters, and no white space at either end (§8.2.1).
  private static func isValue(_ value: UnsafeRawBufferPointer) -> Bool {
    guard let first = value.first, let last = value.last else { return true }
    return !HTTP1Grammar.isBlank(first) && !HTTP1Grammar.isBlank(last) && Ascii.isFieldValue(value)
  }

  /// Several of them are one list.
  private mutating func prioritise(_ value: UnsafeRawBufferPointer) {
    var said = priority ?? HTTP2Priority()
    said.read(value)
    priority = said
  }
}
