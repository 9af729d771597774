/// The request reader of a connection, whichever protocol is spoken on it. Trivially copyable: one switch
/// an event, no existential, nothing to retain.
@frozen public enum Codec: Sendable {
  case http1(HTTP1RequestReader)
  case scgi(SCGIRequestReader)
  case uwsgi(UWSGIRequestReader)
  case fastcgi(FastCGIRequestReader)
  case cgi(CGIRequestReader)

  /// A reader at the beginning of a connection.
  public init(_ gateway: Gateway, limits: HeadLimits) {
    self =
      switch gateway {
      case .http1: .http1(HTTP1RequestReader(limits: limits))
      case .scgi: .scgi(SCGIRequestReader(limits: limits))
      case .uwsgi: .uwsgi(UWSGIRequestReader(limits: limits))
      case .fastcgi: .fastcgi(FastCGIRequestReader(limits: limits))
      case .cgi: .cgi(CGIRequestReader(limits: limits))
      }
  }

  /// The protocol.
  public var gateway: Gateway {
    switch self {
    case .http1: .http1
    case .scgi: .scgi
    case .uwsgi: .uwsgi
    case .fastcgi: .fastcgi
    case .cgi: .cgi
    }
  }

  /// Reads on in `bytes` from `offset`, which it moves over what it has used up; see the readers.
  public mutating func next(
    _ bytes: RawSpan, _ offset: inout Int, _ head: inout RequestHead
  ) throws(CodecError) -> ReadEvent {
    switch self {
    case .http1(var reader):
      defer { self = .http1(reader) }
      do { return try reader.next(bytes, &offset, &head) } catch { throw .http1(error) }
    case .scgi(var reader):
      defer { self = .scgi(reader) }
      do { return try reader.next(bytes, &offset, &head) } catch { throw .scgi(error) }
    case .uwsgi(var reader):
      defer { self = .uwsgi(reader) }
      do { return try reader.next(bytes, &offset, &head) } catch { throw .uwsgi(error) }
    case .fastcgi(var reader):
      defer { self = .fastcgi(reader) }
      do { return try reader.next(bytes, &offset, &head) } catch { throw .fastcgi(error) }
    case .cgi(var reader):
      defer { self = .cgi(reader) }
      do { return try reader.next(bytes, &offset, &head) } catch { throw .cgi(error) }
    }
  }

  /// Makes ready for the next request of the connection; only HTTP and FastCGI have one.
  public mutating func reset() {
    switch self {
    case .http1(var reader):
      reader.reset()
      self = .http1(reader)
    case .fastcgi(var reader):
      reader.reset()
      self = .fastcgi(reader)
    case .scgi, .uwsgi, .cgi: break
    }
  }

  /// Body bytes that the host received past the reader, straight to their place; at most `bodyLeft`.
  public mutating func bypassed(_ count: Int) {
    switch self {
    case .http1(var reader):
      reader.bypassed(count)
      self = .http1(reader)
    case .scgi(var reader):
      reader.bypassed(count)
      self = .scgi(reader)
    case .uwsgi(var reader):
      reader.bypassed(count)
      self = .uwsgi(reader)
    case .fastcgi(var reader):
      reader.bypassed(count)
      self = .fastcgi(reader)
    case .cgi(var reader):
      reader.bypassed(count)
      self = .cgi(reader)
    }
  }

  /// No request has begun as far as the reader knows. With nothing left in the host's buffer, the end of
  /// the connection is a clean one here.
  public var isIdle: Bool {
    switch self {
    case .http1(let reader): reader.isIdle
    case .scgi(let reader): reader.state == .head
    case .uwsgi(let reader): reader.state == .head
    case .fastcgi(let reader): reader.isIdle
    case .cgi(let reader): reader.state == .head
    }
  }

  /// Body bytes that come next on the wire as they are, without anything between them: these may be
  /// received straight to their place (`bypassed`). 0 where the protocol mixes something in. FastCGI: the
  /// rest of the record under way.
  public var bodyLeft: Int64 {
    switch self {
    case .http1(let reader): return reader.bodyLeft
    case .scgi(let reader): if case .body(let left) = reader.state { return left }
    case .uwsgi(let reader): if case .body(let left) = reader.state { return left }
    case .fastcgi(let reader): return reader.bodyLeft
    case .cgi(let reader): if case .body(let left) = reader.state { return left }
    }
    return 0
  }

  /// The FastCGI request under way, to which records of an answer belong; 0 with the other protocols.
  public var requestID: UInt16 {
    if case .fastcgi(let reader) = self { reader.requestID } else { 0 }
  }
}
