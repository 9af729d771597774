/// The writing half of a protocol: what the answer to one request becomes on the wire; `Codec` is the reading
/// half. Bytes go to the end of an output; the encoder is a few words, made when needed.
///
/// Call in this order: `head`, then for each piece of the body `open`, its bytes and `close`, and `end`; or
/// all at once with `whole`. The plan says how the body is framed.
@frozen public struct ResponseEncoder: BitwiseCopyable, Sendable {
  /// The protocol.
  public let gateway: Gateway
  /// CGI: the answer is a whole HTTP response (scripts whose names begin with nph-, RFC 3875 §5).
  public let isNonParsed: Bool
  /// HTTP: the minor version that the client speaks.
  public let minorVersion: UInt8
  /// FastCGI: the request that the records belong to. HTTP/2: the stream.
  public let requestID: UInt32

  @inlinable @inline(__always)
  public init(_ gateway: Gateway, isNonParsed: Bool, minorVersion: UInt8, requestID: UInt32) {
    self.gateway = gateway
    self.isNonParsed = isNonParsed
    self.minorVersion = minorVersion
    self.requestID = requestID
  }

  // MARK: Head

  /// Writes the head.
  ///
  /// - Parameter own: the server's own fields, asked for where the protocol has them.
  @_alwaysEmitIntoClient @inline(__always)
  public func head(
    _ response: inout ResponseHead, _ plan: ResponsePlan, own: () -> ServerFields,
    into out: inout ByteBuffer
  ) {
    if gateway == .fastcgi {
      FastCGIResponseWriter.head(&response, plan, id: recordID, into: &out)
    } else if gateway == .http2 {
      HTTP2ResponseWriter.head(
        &response, plan, own: own(), id: requestID, ends: plan.framing == .none, into: &out)
    } else {
      write(&response, plan, own: own, body: .none, into: &out)
    }
  }

  /// Writes head, body and end. `body` is empty if the plan forbids one (HEAD, 204, 304), and as long as the
  /// plan says.
  @_alwaysEmitIntoClient @inline(__always)
  public func whole(
    _ response: inout ResponseHead, _ plan: ResponsePlan, own: () -> ServerFields,
    body: UnsafeRawBufferPointer, into out: inout ByteBuffer
  ) {
    if gateway == .fastcgi {
      FastCGIResponseWriter.whole(&response, plan, body: body, id: recordID, into: &out)
    } else if gateway == .http2 {
      HTTP2ResponseWriter.whole(&response, plan, own: own(), body: body, id: requestID, into: &out)
    } else {
      write(&response, plan, own: own, body: body, into: &out)
    }
  }

  /// Writes the head, followed by bytes that the protocol sends unchanged.
  @_alwaysEmitIntoClient @inline(__always)
  func write(
    _ response: inout ResponseHead, _ plan: ResponsePlan, own: () -> ServerFields,
    body: UnsafeRawBufferPointer, into out: inout ByteBuffer
  ) {
    switch gateway {
    case .http1:
      HTTP1ResponseWriter.head(
        &response, plan, minorVersion: minorVersion, own: own(), body: body, into: &out)
    case .scgi: SCGIResponseWriter.head(&response, plan, body: body, into: &out)
    case .uwsgi: UWSGIResponseWriter.head(&response, plan, body: body, into: &out)
    case .cgi where isNonParsed:
      CGIResponseWriter.nphHead(&response, plan, own: own(), body: body, into: &out)
    case .cgi: CGIResponseWriter.head(&response, plan, body: body, into: &out)
    case .fastcgi, .http2: break
    }
  }

  /// FastCGI: the request.
  @inlinable @inline(__always) var recordID: UInt16 { UInt16(truncatingIfNeeded: requestID) }

  /// Writes an interim response, such as 100 (RFC 9110 §15.2); only HTTP has them.
  ///
  /// - Parameter fields: lines of its head, each `Name: value CR LF`.
  public func interim(
    _ status: Int, fields: UnsafeRawBufferPointer = .none, into out: inout ByteBuffer
  ) {
    if gateway == .http1 { HTTP1ResponseWriter.interim(status, fields: fields, into: &out) }
    if gateway == .http2 { HTTP2ResponseWriter.interim(status, fields: fields, id: requestID, into: &out) }
  }

  /// Announces trailers that are known before the head leaves, where a client may want to know of them
  /// (RFC 9110 §6.6.2).
  public func announce(_ trailers: borrowing TrailerSection, in response: inout ResponseHead) {
    if gateway == .http1 { response.announce(trailers: trailers) }
  }

  /// Writes the head of an answer that switches the connection to another protocol (RFC 9110 §15.2.2), or
  /// over HTTP/2 its stream (RFC 8441 §5).
  ///
  /// - Parameter own: the server's own fields, asked for where the answer has them.
  public func upgrade(
    _ response: inout ResponseHead, own: () -> ServerFields, into out: inout ByteBuffer
  ) {
    switch gateway {
    // Writes exactly this, whatever the front end is.
    case .http1, .uwsgi: UWSGIResponseWriter.head(&response, .none, into: &out)
    case .scgi: SCGIResponseWriter.head(&response, .none, into: &out)
    case .http2:
      HTTP2ResponseWriter.head(&response, .none, own: own(), id: requestID, ends: false, into: &out)
    case .fastcgi, .cgi: break
    }
  }

  // MARK: Body

  /// Begins a piece of `count` body bytes, more than 0. Returns how many of them follow before `close`.
  @inlinable @inline(__always)
  public func open(_ count: Int, _ framing: ResponseFraming, into out: inout ByteBuffer) -> Int {
    switch framing {
    case .chunked:
      HTTP1ResponseWriter.chunkHead(count, into: &out)
      return count
    case .records: return FastCGIResponseWriter.dataHead(count, id: recordID, into: &out)
    case .frames: return HTTP2ResponseWriter.dataHead(count, id: requestID, into: &out)
    case .none, .length, .untilClose: return count
    }
  }

  /// Ends a piece of `count` body bytes.
  @inlinable @inline(__always)
  public func close(_ count: Int, _ framing: ResponseFraming, into out: inout ByteBuffer) {
    switch framing {
    case .chunked: HTTP1ResponseWriter.chunkTail(into: &out)
    case .records: FastCGIResponseWriter.dataTail(count, into: &out)
    case .none, .length, .untilClose, .frames: break
    }
  }

  /// Ends the answer.
  public func end(_ framing: ResponseFraming, into out: inout ByteBuffer) {
    switch framing {
    case .chunked: HTTP1ResponseWriter.lastChunk(into: &out)
    case .records: FastCGIResponseWriter.end(id: recordID, into: &out)
    case .frames: HTTP2ResponseWriter.end(id: requestID, into: &out)
    case .none, .length, .untilClose: break
    }
  }

  /// Ends the answer with trailers, on a protocol that has a place for them.
  public func end(
    _ framing: ResponseFraming, _ trailers: borrowing TrailerSection, into out: inout ByteBuffer
  ) {
    switch framing {
    case .chunked: HTTP1ResponseWriter.lastChunk(trailers: trailers.lines.bytes, into: &out)
    case .frames: HTTP2ResponseWriter.trailers(trailers.lines.bytes, id: requestID, into: &out)
    case .records, .none, .length, .untilClose: end(framing, into: &out)
    }
  }

  /// Breaks the answer off, if its protocol can carry bytes that no front end takes for a part of one.
  public static func breakOff(_ framing: ResponseFraming, into out: inout ByteBuffer) {
    if framing == .records { FastCGIResponseWriter.breakOff(into: &out) }
  }

  // MARK: Beside the answer

  /// Lines for the front end's error log, where the protocol carries them (`Gateway.hasErrorStream`).
  public func errorLines(_ text: UnsafeRawBufferPointer, into out: inout ByteBuffer) {
    if gateway.hasErrorStream { FastCGIResponseWriter.stderr(text, id: recordID, into: &out) }
  }

  /// Answers a message that is not a request; true when the connection ends with it.
  ///
  /// - Parameter connections: how many the server takes at once, which FastCGI may ask for (§4.1).
  public static func answer(
    _ answer: ControlAnswer, connections: Int, into out: inout ByteBuffer
  ) -> Bool {
    switch answer {
    case .uwsgiPong:
      UWSGIResponseWriter.pong(into: &out)
      return true
    case .fastCGIValues, .fastCGIUnknownType, .fastCGIRefusal:
      FastCGIResponseWriter.answer(
        answer, maxConnections: connections, maxRequests: connections, into: &out)
      if case .fastCGIRefusal(_, _, let closes) = answer { return closes }
      return false
    }
  }
}

extension ResponseFraming {
  /// Fields may follow the body.
  public var takesTrailers: Bool {
    switch self {
    case .chunked, .frames: true
    case .none, .length, .untilClose, .records: false
    }
  }

  /// Pieces of the body are framed by bytes of the protocol, and something marks its end.
  @inlinable @inline(__always)
  public var hasMarks: Bool {
    switch self {
    case .chunked, .records, .frames: true
    case .none, .length, .untilClose: false
    }
  }
}
