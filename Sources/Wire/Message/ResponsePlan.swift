/// How the body of a response is delimited on this protocol.
@frozen public enum ResponseFraming: Equatable, Sendable {
  /// No body bytes are sent, whatever the app writes (HEAD, 1xx, 204, 304).
  case none
  /// Exactly this many bytes.
  case length(Int64)
  /// HTTP/1.1 chunked (RFC 9112 §7.1).
  case chunked
  /// Until the connection closes (HTTP/1.0, SCGI, uwsgi, CGI).
  case untilClose
  /// Records with an end record of their own (FastCGI).
  case records
  /// Frames of a stream, the last of which is marked as such (HTTP/2).
  case frames
}

/// The rules of RFC 9110 and RFC 9112 on what a response may carry and what becomes of the connection.
/// Pure: decided once, when the head is about to leave.
@frozen public struct ResponsePlan: Equatable, Sendable {
  public var framing: ResponseFraming
  /// Body bytes are sent; otherwise whatever the app writes is dropped.
  public var hasBody: Bool
  /// The connection carries another request afterwards.
  public var persists: Bool
  /// Content-Length to write; -1 writes none.
  public var contentLength: Int64

  /// Nobody was told how long the body is: only the end of its connection or its records ends it, and a front
  /// end takes an early end for the true one.
  public var isUnannounced: Bool {
    guard hasBody else { return false }
    switch framing {
    case .untilClose: return true
    case .records: return contentLength < 0
    case .none, .length, .chunked, .frames: return false
    }
  }

  /// Nothing decided yet.
  public static var none: ResponsePlan { ResponsePlan(framing: .none, persists: false, contentLength: -1) }

  private init(framing: ResponseFraming, persists: Bool, contentLength: Int64) {
    self.framing = framing
    hasBody = false
    self.persists = persists
    self.contentLength = contentLength
  }

  /// What the plan depends on.
  public struct Question: Sendable {
    public var gateway: Gateway
    /// The request method is HEAD.
    public var isHead: Bool
    /// HTTP/1.x minor version of the client.
    public var minorVersion: UInt8
    /// The request and the server both allow another request on the connection.
    public var persists: Bool
    public var status: Int
    /// Content-Length that the app declared; -1 without.
    public var declaredLength: Int64
    /// Body length that the host knows because the app gave all at once; -1 without.
    public var knownLength: Int64
    /// Trailers follow, and the client takes them: HTTP/1.1 needs chunks for that, whatever the length.
    public var sendsTrailers = false

    @inlinable @inline(__always)
    public init(
      gateway: Gateway, isHead: Bool, minorVersion: UInt8, persists: Bool, status: Int,
      declaredLength: Int64, knownLength: Int64
    ) {
      self.gateway = gateway
      self.isHead = isHead
      self.minorVersion = minorVersion
      self.persists = persists
      self.status = status
      self.declaredLength = declaredLength
      self.knownLength = knownLength
    }
  }

  /// RFC 9110 §6.4.1 (which responses have no content), §8.6 (Content-Length), RFC 9112 §6.3.
  @inlinable @inline(__always)
  public init(_ question: Question) {
    let length = question.declaredLength >= 0 ? question.declaredLength : question.knownLength
    let bodiless = question.status < 200 || question.status == 204
    persists = question.persists
    hasBody = !(question.isHead || bodiless || question.status == 304 || question.status == 205)
    contentLength = bodiless ? -1 : length
    if question.isHead || bodiless || question.status == 304 {
      // HEAD and 304 may state the length that a GET would have had; a 0 that only the host counted would be
      // wrong there.
      if question.declaredLength < 0, question.status == 304 || length == 0 { contentLength = -1 }
      framing = question.gateway == .fastcgi ? .records : .none
      return
    }
    // 205 asks the client to reset its form and has no content (RFC 9110 §15.3.6).
    if question.status == 205 {
      contentLength = 0
      framing = question.gateway == .fastcgi ? .records : .none
      return
    }
    switch question.gateway {
    case .fastcgi: framing = .records
    case .http2: framing = .frames
    case .scgi, .uwsgi, .cgi:
      framing = length >= 0 ? .length(length) : .untilClose
      persists = false
    case .http1:
      if length >= 0, !question.sendsTrailers {
        framing = .length(length)
      } else if question.minorVersion >= 1 {
        framing = .chunked
      } else {
        framing = .untilClose
        persists = false
      }
    }
  }
}
