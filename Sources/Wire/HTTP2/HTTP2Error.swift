/// Errors of clients in HTTP/2. Some end the connection, some only the stream concerned (RFC 9113 §5.4).
@frozen public enum HTTP2Error: GatewayError {
  // The connection ends.
  /// The bytes are not those with which every connection begins (§3.4).
  case prefaceMalformed
  /// The first frame is not SETTINGS (§3.4).
  case settingsMissing
  /// A frame is longer than SETTINGS_MAX_FRAME_SIZE allows, or does not have the length of its type (§4.2).
  case frameSize
  /// A stream frame without a stream number, or a connection frame with one (§6).
  case streamNumber
  /// The stream's number is even, or not above all earlier ones (§5.1.1).
  case streamNotNew
  /// A frame that must not come for a stream that was not begun (§5.1).
  case streamIdle
  /// A request on a stream that is over (§5.1).
  case streamOver
  /// Something else came between the frames of a field block, or CONTINUATION without one (§6.10).
  case blockInterrupted
  /// A field block cannot be decoded (§4.3, RFC 7541).
  case compression(HPACKError)
  /// The padding is as long as its frame, or longer (§6.1).
  case paddingTooLong
  /// A setting with an invalid value (§6.5.2).
  case settingMalformed
  /// SETTINGS_INITIAL_WINDOW_SIZE is too large, or makes a window too large (§6.9.2).
  case settingWindow
  /// PUSH_PROMISE: clients have nothing to push (§8.4).
  case pushed
  /// WINDOW_UPDATE of 0 for the connection (§6.9).
  case windowEmpty
  /// The connection's window is exceeded, or becomes too large (§6.9.1).
  case windowOfConnection
  /// More than anybody needs of something that costs a server more than its client.
  case flood(HTTP2Flood)

  // The stream ends.
  /// A frame on a stream whose client has already ended it (§5.1).
  case halfClosed
  /// A stream's window is exceeded, or becomes too large (§6.9.1).
  case windowOfStream
  /// WINDOW_UPDATE of 0 for a stream (§6.9).
  case windowEmptyOfStream
  /// A stream that depends on itself (RFC 7540 §5.3.1).
  case dependsOnItself
  /// More streams at once than were allowed (§5.1.2).
  case tooManyStreams
  /// A field name with an upper-case letter, or one that is not a token (§8.2).
  case nameMalformed
  /// A field value with a control character, or with white space around it (§8.2.1).
  case valueMalformed
  /// A field that belongs to an HTTP/1.1 connection (§8.2.2).
  case connectionField
  /// TE with a value other than trailers (§8.2.2).
  case teMalformed
  /// A pseudo field that is unknown, given twice, or after a regular field (§8.3).
  case pseudoField
  /// :method, :scheme or :path is missing or empty, or is no method or scheme (§8.3.1).
  case pseudoMissing
  /// :path is none of the forms that its method allows (§8.3.1).
  case pathMalformed
  /// :authority, or Host, is not a host with an optional port; or they differ (§8.3.1).
  case authorityMalformed
  /// CONNECT: this is not a proxy (§8.5).
  case connectUnsupported
  /// Extended CONNECT for something other than a WebSocket (RFC 8441 §4).
  case protocolUnsupported
  /// A head, or trailers, on the stream of an extended CONNECT (§8.5).
  case headInTunnel
  /// Content-Length is not a number or given twice, or the body has another length (§8.1.1).
  case lengthMalformed
  /// Content-Type is given twice (RFC 9110 §8.3).
  case typeDuplicate
  /// Trailers that do not end their stream, or have a pseudo field (§8.1).
  case trailersMalformed
  /// The head is above the server's limit (RFC 6585 §5).
  case headTooLarge
  /// More fields than the server's limit (RFC 6585 §5).
  case tooManyFields
  /// The body, announced or counted, is above the server's limit (RFC 9110 §15.5.14).
  case bodyTooLarge
  /// An expectation other than 100-continue (RFC 9110 §10.1.1).
  case expectationUnknown

  /// The code that is sent to the client.
  public var code: HTTP2Code {
    switch self {
    case .frameSize: .frameSize
    case .streamOver, .halfClosed: .streamClosed
    case .compression: .compression
    case .settingWindow, .windowOfConnection, .windowOfStream: .flowControl
    case .flood: .enhanceYourCalm
    case .tooManyStreams: .refusedStream
    default: .protocolError
    }
  }

  /// The status of an answer, for errors that may be answered; 0 for those that end their stream without one
  /// (§8.1.1).
  public var answer: Int {
    switch self {
    case .headTooLarge, .tooManyFields: 431
    case .bodyTooLarge: 413
    case .expectationUnknown: 417
    case .connectUnsupported, .protocolUnsupported: 501
    default: 0
    }
  }

  public var status: Int { answer == 0 ? 400 : answer }

  public var description: String {
    switch self {
    case .prefaceMalformed: "HTTP/2 connection does not begin with its preface"
    case .settingsMissing: "HTTP/2 connection does not begin with SETTINGS"
    case .frameSize: "HTTP/2 frame of a length that it cannot have"
    case .streamNumber: "HTTP/2 frame with a stream number that it cannot have"
    case .streamNotNew: "HTTP/2 stream number is even, or not above those before"
    case .streamIdle: "HTTP/2 frame for a stream that was not begun"
    case .streamOver: "HTTP/2 request on a stream that is over"
    case .blockInterrupted: "HTTP/2 field block is interrupted by another frame"
    case .compression: "HTTP/2 field block cannot be decoded"
    case .paddingTooLong: "HTTP/2 padding is longer than its frame"
    case .settingMalformed: "HTTP/2 setting with a value that it cannot have"
    case .settingWindow: "HTTP/2 SETTINGS_INITIAL_WINDOW_SIZE makes a window too large"
    case .pushed: "HTTP/2 PUSH_PROMISE from a client"
    case .windowEmpty: "HTTP/2 WINDOW_UPDATE of 0"
    case .windowOfConnection: "HTTP/2 window of the connection is exceeded, or too large"
    case .flood(let kind): "HTTP/2 flood of \(kind.description)"
    default: streamDescription
    }
  }

  private var streamDescription: String {
    switch self {
    case .halfClosed: "HTTP/2 frame behind the end of its request"
    case .windowOfStream: "HTTP/2 window of a stream is exceeded, or too large"
    case .windowEmptyOfStream: "HTTP/2 WINDOW_UPDATE of 0 for a stream"
    case .dependsOnItself: "HTTP/2 stream depends on itself"
    case .tooManyStreams: "HTTP/2 has more streams at once than are allowed"
    case .nameMalformed: "field name is not a token in lower case"
    case .valueMalformed: "control character in a field value, or white space around it"
    case .connectionField: "field of a connection of HTTP/1.1 in an HTTP/2 request"
    case .teMalformed: "TE is not trailers"
    case .pseudoField: "pseudo field that is unknown, given twice, or not in front"
    case .pseudoMissing: ":method, :scheme or :path is missing or malformed"
    case .pathMalformed: ":path is in none of the forms that its method allows"
    case .authorityMalformed: ":authority or Host is not a host with an optional port, or they differ"
    case .connectUnsupported: "CONNECT is for proxies, which this server is not"
    case .protocolUnsupported: ":protocol is not websocket"
    case .headInTunnel: "HTTP/2 head on a stream that CONNECT has opened"
    case .lengthMalformed: "Content-Length is not a number, or not the body's length"
    case .typeDuplicate: "Content-Type is given twice"
    case .trailersMalformed: "trailers with a pseudo field, or that are not the end"
    case .headTooLarge: "request head is above the limit"
    case .tooManyFields: "request has more fields than the limit"
    case .bodyTooLarge: "request body is above the limit"
    default: "expectation is not 100-continue"
    }
  }
}

/// Things that cost a server more than its client, so that they are counted.
@frozen public enum HTTP2Flood: Sendable {
  /// Streams that end before they are answered, reset by the client or because of its errors (CVE-2023-44487,
  /// CVE-2025-8671); those for which there was no room do not count.
  case resets
  /// Frames that bring nothing: PING, SETTINGS, PRIORITY, GOAWAY, empty DATA, unnecessary WINDOW_UPDATE,
  /// HEADERS and short DATA of streams that were reset (CVE-2019-9512, -9515, -9513, -9518).
  case idleFrames
  /// Answers to such frames that the client does not take (CVE-2019-9512).
  case replies
  /// CONTINUATION without an end (CVE-2024-28182).
  case continuations
  /// More entries in SETTINGS than there can be (CVE-2020-11080).
  case settings
  /// Fields that are far above the limit once they are decoded (CVE-2016-6581).
  case fields

  public var description: String {
    switch self {
    case .resets: "streams that are reset"
    case .idleFrames: "frames that bring nothing"
    case .replies: "frames whose answers are not taken"
    case .continuations: "CONTINUATION frames"
    case .settings: "settings"
    case .fields: "fields"
    }
  }
}

/// The bounds of an HTTP/2 connection.
@frozen public struct HTTP2Limits: Sendable {
  /// The limits of each request.
  public var head: HeadLimits
  /// Concurrent streams: the minimum that RFC 9113 §6.5.2 recommends; nginx 128, h2o 100.
  public var streams = 100
  /// The most bytes of a request body that have come and that nobody has taken yet. All streams of a
  /// connection together have `streams` times as many, 25 MiB: a quarter of what their bodies may have in
  /// memory once they are taken (`Limits.bodyMemoryBytes` each), and each counts among `Limits.connections`.
  /// nginx 64 KiB (`http2_body_preread_size`), Go 1 MiB. The window of a stream on a long line grows
  /// (`HTTP2Windows.swift`).
  public var streamWindow = 256 * 1024
  /// The largest that it grows to: 40 MiB a second over 100 ms. gRPC and hyper 16 MiB.
  public var streamWindowAtMost = 4 * 1024 * 1024
  /// What all windows of a connection's streams may grow by, together: with it all streams of a connection
  /// have 41 MiB, still less than half of what their bodies may have once they are taken.
  public var streamWindowsGrowth = 16 * 1024 * 1024
  /// Bytes of all requests that may be in transit on a connection; they are given back as they come, so that
  /// a stream whose application does not read holds up only itself. It bounds no memory, and grows as those
  /// of streams do. Go 1 MiB.
  public var connectionWindow = 4 * 1024 * 1024
  /// The largest that it grows to. gRPC 16 MiB.
  public var connectionWindowAtMost = 16 * 1024 * 1024
  /// CONTINUATION frames of a field block: nghttp2's 8, or as many as a head of `head.headBytes` fills.
  public var continuations = 8
  /// Entries in one SETTINGS frame; nghttp2 32.
  public var settings = 32
  /// Answers to PING and SETTINGS, and to requests without room, that wait for their client; nghttp2 1000.
  public var replies = 1000
  /// Streams that a client may reset, or have reset because of its errors: how many at once, and how many
  /// more each second; nghttp2 the same.
  public var resets = (burst: 1000, rate: 33)
  /// The same for frames that bring nothing.
  public var idleFrames = (burst: 1000, rate: 100)
  /// Bytes of bodies that pay for one more of these frames. Go's client sends two WINDOW_UPDATE for every 4
  /// KiB, Python's h2 two for every 1 KiB at most.
  public var bytesForFrame = 512
  /// Bytes of an answer that its client wants whole, for which others of its urgency wait; then it shares. A
  /// long download would hold them up for as long as it takes.
  public var wholeBytes = 1 << 20

  public init(head: HeadLimits) {
    self.head = head
    continuations = max(continuations, head.headBytes / HTTP2Grammar.frameBytes + 1)
  }
}

/// How often something may happen: a stock that each occurrence takes from, and that fills with time.
struct HTTP2Budget: Sendable {
  private let burst: Int
  private let rate: Int
  private var left: Int
  /// Seconds up to which it was filled.
  private var filledAt: UInt64 = 0

  init(_ numbers: (burst: Int, rate: Int)) {
    (burst, rate) = numbers
    left = burst
  }

  /// Fills the stock up to this time.
  mutating func refill(at seconds: UInt64) {
    guard seconds > filledAt else { return }
    if filledAt > 0 { grant(Int(min(seconds - filledAt, 3600)) * rate) }
    filledAt = seconds
  }

  /// Allows this many more.
  mutating func grant(_ count: Int) { left = min(burst, left + count) }

  /// Takes one; false if it is one too many.
  mutating func take() -> Bool {
    left -= 1
    return left >= 0
  }
}
