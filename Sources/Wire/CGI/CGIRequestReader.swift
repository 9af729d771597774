/// CGI request reader (RFC 3875): one request, its head in the environment, its body on standard input.
///
/// There is no wire for the head. The host calls `RequestHead.reset(form: .variables)`, appends each string
/// of its environment with the NUL behind it to `RequestHead.assembled`, and then calls `next` as with any
/// other protocol: `.head` comes first and uses up nothing, then the body from standard input's bytes.
@frozen public struct CGIRequestReader: BitwiseCopyable, Sendable {
  /// Where the reader stands. What stands on standard input behind the body is not ours (§4.2).
  public private(set) var state = SizedRequestState.head
  private let limits: HeadLimits

  public init(limits: HeadLimits) { self.limits = limits }

  /// Reads the environment that stands in `head.assembled`, then on in `bytes` from `offset`, which it
  /// moves over what it has used up.
  public mutating func next(
    _ bytes: RawSpan, _ offset: inout Int, _ head: inout RequestHead
  ) throws(CGIError) -> ReadEvent {
    guard state == .head else { return state.nextAfterHead(bytes.byteCount, &offset) }
    head.framing = state.headEnded(bodyLength: try readEnvironment(&head))
    return .head
  }

  /// Bytes of a body that the host read past the reader, straight to their place; `count` is at most
  /// `left`.
  public mutating func bypassed(_ count: Int) { state.bypassed(count) }

  /// Fills the table; returns CONTENT_LENGTH. A string without a name or without `=` is no variable and is
  /// passed over; the first of several with one name counts, as getenv(3) has it.
  private func readEnvironment(_ head: inout RequestHead) throws(CGIError) -> Int64 {
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
        let value = ByteRange(nameEnd + 1, end - nameEnd - 1)
        let known = KnownName.variable(name.bytes(in: all.baseAddress!))
        guard head.count < limits.fields, head.append(name: name, value: value, known: known) else {
          throw .tooManyVariables
        }
      }
      position = end + 1
    }
    head.end = all.count
    head.method = head.first(.requestMethod) ?? .none
    head.target = head.first(.requestURI) ?? .none
    guard head.count > 0 else { return 0 }
    switch head.announcedLength(base: all.baseAddress!) {
    case .absent: return 0
    case .malformed: throw .contentLengthMalformed
    case .bytes(let count):
      guard count <= limits.bodyBytes else { throw .bodyTooLarge }
      return count
    }
  }
}
