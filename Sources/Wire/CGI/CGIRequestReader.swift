/// CGI request reader (RFC 3875): one request, its head in the environment, its body on standard input.
///
/// There is no wire for the head. The host calls `RequestHead.reset(form: .variables)`, appends each string
/// of its environment with the NUL behind it to `RequestHead.assembled`, and then calls `next` as with any
/// other protocol: `.head` comes first and uses up nothing, then the body from standard input's bytes.
@frozen public struct CGIRequestReader: BitwiseCopyable, Sendable {
  /// Where the reader stands. What stands on standard input behind the body is not ours (§4.2).
  public private(set) var state = SizedRequestState.head
  private let limits: HeadLimits
  /// The client sent its body in chunks: a web server (Apache) gives it without its coding, and ends standard
  /// input behind it.
  private var endsWithInput = false

  public init(limits: HeadLimits) { self.limits = limits }

  /// Reads the environment that stands in `head.assembled`, then on in `bytes` from `offset`, which it
  /// moves over what it has used up.
  public mutating func next(
    _ bytes: RawSpan, _ offset: inout Int, _ head: inout RequestHead
  ) throws(CGIError) -> ReadEvent {
    guard state == .head else {
      // One byte more than is allowed has come.
      if endsWithInput, state == .ended { throw .bodyTooLarge }
      return state.nextAfterHead(bytes.byteCount, &offset)
    }
    if let length = try readEnvironment(&head) {
      head.framing = state.headEnded(bodyLength: length)
    } else {
      endsWithInput = true
      head.framing = .stream(announced: nil)
      state = .body(left: limits.bodyBytes == .max ? .max : limits.bodyBytes + 1)
    }
    return .head
  }

  /// Standard input has ended. True when that ends the request's body, of which nobody knew the length; the
  /// next event is `.end` then.
  public mutating func inputEnded() -> Bool {
    guard endsWithInput, state != .ended else { return false }
    (endsWithInput, state) = (false, .ended)
    return true
  }

  /// Bytes of a body that the host read past the reader, straight to their place; `count` is at most
  /// `left`.
  public mutating func bypassed(_ count: Int) { state.bypassed(count) }

  /// Fills the table; returns CONTENT_LENGTH, nil for a body of unknown length. A string without a name or
  /// without `=` is no variable and is passed over; the first of several with one name counts, as getenv(3)
  /// has it.
  private func readEnvironment(_ head: inout RequestHead) throws(CGIError) -> Int64? {
    let all = head.assembled.bytes
    var position = 0
    while position < all.count {
      var nameEnd = position
      while nameEnd < all.count, all[nameEnd] != CGIGrammar.equals, all[nameEnd] != CGIGrammar.nul {
        nameEnd += 1
      }
      var end = nameEnd
      while end < all.count, all[end] != CGIGrammar.nul { end += 1 }
      if nameEnd > position, nameEnd < end {
        let name = ByteRange(position, nameEnd - position)
        let value = DelimitedRange(nameEnd + 1, endedAt: end)
        let known = KnownName.variable(name.bytes(in: all.baseAddress!))
        guard head.count < limits.fields, head.append(name: name, value: value, known: known) else {
          throw .tooManyVariables
        }
      }
      position = end + 1
    }
    head.end = all.count
    head.hasDelimitedNames = true
    guard head.count > 0 else { return 0 }
    let base = UnsafeRawPointer(all.baseAddress!)
    switch head.announcedLength(base: base) {
    case .absent: return head.saysCoding(base: base) ? nil : 0
    case .unknown: return nil
    case .malformed: throw .contentLengthMalformed
    case .bytes(let count):
      guard count <= limits.bodyBytes else { throw .bodyTooLarge }
      head.statesLength = true
      return count
    }
  }
}
