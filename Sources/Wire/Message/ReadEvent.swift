/// What a request reader found in the bytes it was given. Trivially copyable; ranges index those bytes.
@frozen public enum ReadEvent: Equatable, Sendable {
  /// The bytes so far are the beginning of something valid: call again with more of them.
  case needMore
  /// The request head is complete, in the `RequestHead` that was passed in.
  case head
  /// Decoded body bytes (transfer coding and record headers removed).
  case body(ByteRange)
  /// A field behind the body (RFC 9110 §6.5): `name ":" OWS value`, checked, without the end of its line.
  case trailer(ByteRange)
  /// The request is complete; the offset is at the first byte after it.
  case end
  /// The front end takes the request back (FastCGI ABORT_REQUEST, §5.4).
  case abort
  /// A message outside any request that wants this answer at once.
  case answer(ControlAnswer)
}

/// Answers to messages that are not requests of an application.
@frozen public enum ControlAnswer: Equatable, Sendable {
  /// uwsgi ping (modifier1 100): modifier1 100, size 0, modifier2 1.
  case uwsgiPong
  /// FastCGI GET_VALUES_RESULT (§4.1) with the variables whose bits are set, see `FastCGIValues`.
  case fastCGIValues(UInt8)
  /// FastCGI UNKNOWN_TYPE (§4.2) for this record type.
  case fastCGIUnknownType(UInt8)
  /// FastCGI END_REQUEST (§5.5) for a request that is refused: its id and protocolStatus
  /// (1 CANT_MPX_CONN, 3 UNKNOWN_ROLE).
  case fastCGIRefusal(id: UInt16, protocolStatus: UInt8, closes: Bool)
}
