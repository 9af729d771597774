/// The request reader of a connection, whatever its protocol.
///
/// A union of the readers, which are plain bytes: one switch per event, and the reader works in place. (As an
/// enum with payloads, each event copied the reader out and back, 8 copies a request.)
public struct Codec: Sendable {
  /// The protocol.
  public let gateway: Gateway
  private var storage = InlineArray<28, UInt64>(repeating: 0)

  /// A reader at the beginning of a connection.
  public init(_ gateway: Gateway, limits: HeadLimits) {
    self.gateway = gateway
    switch gateway {
    case .http1: place(HTTP1RequestReader(limits: limits))
    case .scgi: place(SCGIRequestReader(limits: limits))
    case .uwsgi: place(UWSGIRequestReader(limits: limits))
    case .fastcgi: place(FastCGIRequestReader(limits: limits))
    case .cgi: place(CGIRequestReader(limits: limits))
    case .http2: place(HTTP2RequestReader(limits: limits))
    }
  }

  /// Puts a reader into the storage, where it has to fit.
  private mutating func place<Reader: BitwiseCopyable>(_ reader: Reader) {
    precondition(
      MemoryLayout<Reader>.size <= MemoryLayout<InlineArray<28, UInt64>>.size, "a reader is too large")
    withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: reader, as: Reader.self) }
  }

  /// Works on the reader in place. `Reader` is the one that `gateway` says.
  @inline(__always)
  private mutating func with<Reader: BitwiseCopyable, Answer, Failure: Error>(
    _ reader: Reader.Type, _ body: (inout Reader) throws(Failure) -> Answer
  ) throws(Failure) -> Answer {
    try withUnsafeMutablePointer(to: &storage) { bytes throws(Failure) in
      try body(&UnsafeMutableRawPointer(bytes).assumingMemoryBound(to: Reader.self).pointee)
    }
  }

  /// Looks at the reader.
  @inline(__always)
  private func look<Reader: BitwiseCopyable, Answer>(_ reader: Reader.Type, _ body: (Reader) -> Answer)
    -> Answer
  {
    withUnsafePointer(to: storage) { body(UnsafeRawPointer($0).assumingMemoryBound(to: Reader.self).pointee) }
  }

  /// Reads on in `bytes` from `offset`, which it moves past the bytes that it has consumed; see the readers.
  public mutating func next(
    _ bytes: RawSpan, _ offset: inout Int, _ head: inout RequestHead
  ) throws(CodecError) -> ReadEvent {
    switch gateway {
    case .http1:
      do {
        return try with(HTTP1RequestReader.self) { reader throws(HTTP1Error) in
          try reader.next(bytes, &offset, &head)
        }
      } catch { throw .http1(error) }
    case .scgi:
      do {
        return try with(SCGIRequestReader.self) { reader throws(SCGIError) in
          try reader.next(bytes, &offset, &head)
        }
      } catch { throw .scgi(error) }
    case .uwsgi:
      do {
        return try with(UWSGIRequestReader.self) { reader throws(UWSGIError) in
          try reader.next(bytes, &offset, &head)
        }
      } catch { throw .uwsgi(error) }
    case .fastcgi:
      do {
        return try with(FastCGIRequestReader.self) { reader throws(FastCGIError) in
          try reader.next(bytes, &offset, &head)
        }
      } catch { throw .fastcgi(error) }
    case .cgi:
      do {
        return try with(CGIRequestReader.self) { reader throws(CGIError) in
          try reader.next(bytes, &offset, &head)
        }
      } catch { throw .cgi(error) }
    case .http2:
      do {
        return try with(HTTP2RequestReader.self) { reader throws(HTTP2Error) in
          try reader.next(bytes, &offset, &head)
        }
      } catch { throw .http2(error) }
    }
  }

  /// Gets ready for the next request of the connection; only HTTP and FastCGI have one.
  @inline(__always)
  public mutating func reset() {
    switch gateway {
    case .http1: with(HTTP1RequestReader.self) { $0.reset() }
    case .fastcgi: with(FastCGIRequestReader.self) { $0.reset() }
    case .scgi, .uwsgi, .cgi, .http2: break
    }
  }

  /// Body bytes that the host received past the reader, straight into place; at most `bodyLeft`. HTTP/2:
  /// bytes of a WebSocket, which the host reads itself.
  public mutating func bypassed(_ count: Int) {
    switch gateway {
    case .http1: with(HTTP1RequestReader.self) { $0.bypassed(count) }
    case .scgi: with(SCGIRequestReader.self) { $0.bypassed(count) }
    case .uwsgi: with(UWSGIRequestReader.self) { $0.bypassed(count) }
    case .fastcgi: with(FastCGIRequestReader.self) { $0.bypassed(count) }
    case .cgi: with(CGIRequestReader.self) { $0.bypassed(count) }
    case .http2: with(HTTP2RequestReader.self) { $0.bypassed(count) }
    }
  }

  /// CGI: standard input has ended; true when the body ends with it, see the reader.
  public mutating func inputEnded() -> Bool {
    gateway == .cgi && with(CGIRequestReader.self) { $0.inputEnded() }
  }

  /// No request has begun as far as the reader knows. If nothing is left in the host's buffer, the connection
  /// may end cleanly here.
  public var isIdle: Bool {
    switch gateway {
    case .http1: look(HTTP1RequestReader.self) { $0.isIdle }
    case .scgi: look(SCGIRequestReader.self) { $0.state == .head }
    case .uwsgi: look(UWSGIRequestReader.self) { $0.state == .head }
    case .fastcgi: look(FastCGIRequestReader.self) { $0.isIdle }
    case .cgi: look(CGIRequestReader.self) { $0.state == .head }
    case .http2: look(HTTP2RequestReader.self) { $0.state == .head }
    }
  }

  /// Body bytes that come next on the wire unchanged, without anything between them: these may be received
  /// straight into place (`bypassed`). 0 where the protocol mixes something in. FastCGI: the rest of the
  /// current record.
  public var bodyLeft: Int64 {
    switch gateway {
    case .http1: look(HTTP1RequestReader.self) { $0.bodyLeft }
    case .scgi: look(SCGIRequestReader.self) { $0.state.bodyLeft }
    case .uwsgi: look(UWSGIRequestReader.self) { $0.state.bodyLeft }
    case .fastcgi: look(FastCGIRequestReader.self) { $0.bodyLeft }
    case .cgi: look(CGIRequestReader.self) { $0.state.bodyLeft }
    case .http2: 0
    }
  }

  /// The FastCGI request or the HTTP/2 stream to which records of an answer belong; 0 with the other
  /// protocols.
  public var requestID: UInt32 {
    switch gateway {
    case .fastcgi: look(FastCGIRequestReader.self) { UInt32($0.requestID) }
    case .http2: look(HTTP2RequestReader.self) { $0.id }
    case .http1, .scgi, .uwsgi, .cgi: 0
    }
  }

  /// HTTP/2: a request has come on a stream.
  public mutating func begin(stream id: UInt32) { with(HTTP2RequestReader.self) { $0.begin(id) } }

  /// HTTP/2: no more of the body comes.
  public mutating func complete() { with(HTTP2RequestReader.self) { $0.complete() } }

  /// HTTP/2: how many bytes of the body, or of a WebSocket, were handed on.
  public var bodyTaken: Int64 { look(HTTP2RequestReader.self) { $0.taken } }

  /// The modifiers of the current uwsgi packet; 0 with the other protocols.
  public var modifiers: (first: UInt8, second: UInt8) {
    gateway == .uwsgi ? look(UWSGIRequestReader.self) { ($0.modifier1, $0.modifier2) } : (0, 0)
  }
}
