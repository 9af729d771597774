/// CGI request reader (RFC 3875): one request, its head in the environment, its body on standard input.
///
/// There is no wire for the head. The host calls `RequestHead.reset(form: .variables)`, appends each string
/// of its environment with its NUL to `RequestHead.assembled`, and then calls `next` as with any other
/// protocol: `.head` comes first and consumes nothing, then the body from the bytes of standard input.
@frozen public struct CGIRequestReader: BitwiseCopyable, Sendable {
  /// Where the reader is. Anything on standard input after the body is not ours (§4.2).
  public private(set) var state = SizedRequestState.head
  private let limits: HeadLimits
  /// The client sent a chunked body: a web server (Apache) passes it on decoded, and ends standard input
  /// after it.
  private var endsWithInput = false

  public init(limits: HeadLimits) { self.limits = limits }

  /// Reads the environment in `head.assembled`, then on in `bytes` from `offset`, which it moves past the
  /// bytes that it has consumed.
  public mutating func next(
    _ bytes: RawSpan, _ offset: inout Int, _ head: inout RequestHead
  ) throws(CGIError) -> ReadEvent {
    guard state == .head else {
      // One byte more than allowed has come.
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

  /// Standard input has ended. True when this ends a request body of unknown length; the next event is `.end`
  /// then.
  public mutating func inputEnded() -> Bool {
    guard endsWithInput, state != .ended else { return false }
    (endsWithInput, state) = (false, .ended)
    return true
  }

  /// Bytes of a body that the host read past the reader, straight into place; `count` is at most `left`.
  public mutating func bypassed(_ count: Int) { state.bypassed(count) }

  /// Fills the table; returns CONTENT_LENGTH, nil for a body of unknown length. Skips a string without a name
  /// or without `=`, which is no variable; of several with the same name the first one counts, as for
  /// getenv(3).
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
    // Some front ends state the length of what they have not read yet: the body is on standard input.
    case .bytes(0) where head.saysCoding(base: base): return nil
    case .bytes(let count):
      guard count <= limits.bodyBytes else { throw .bodyTooLarge }
      head.statesLength = true
      return count
    }
  }
}
