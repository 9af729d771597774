// A client of HTTP/2 that says exactly what a test wants said, over a plain socket.
import Foundation

/// One connection of HTTP/2 from the client's side. Unless a test narrows those of its streams, its windows
/// are wide open: what holds an answer up is the socket. It keeps the server's windows, and answers SETTINGS
/// and, unless a test wants to do so itself, PING as it meets them.
public final class HTTP2Client {
  /// The socket underneath.
  public let socket: RawSocket
  /// What the server has announced, by the numbers of RFC 9113 §6.5.2.
  public private(set) var settings: [UInt16: UInt32] = [:]
  /// The last stream and the code of each GOAWAY that has come.
  public private(set) var goAways: [(last: UInt32, code: UInt32)] = []
  /// PINGs are answered as they come; otherwise they wait for `answerPings`.
  public var answersPings = true
  /// The PINGs that wait.
  public private(set) var pings: [[UInt8]] = []
  private var answers: [UInt32: Answer] = [:]
  private var received: [UInt8] = []
  private var nextID: UInt32 = 1
  /// What may still be sent: on the connection (0) and on each stream.
  private var windows: [UInt32: Int] = [0: 65_535]
  private var initialWindow = 65_535
  /// A stream may go on as soon as its bytes are here.
  private let givesBack: Bool
  /// The connection has ended.
  private var isOver = false
  /// The field block that is coming, and whether it ends its stream.
  private var block: (bytes: [UInt8], ends: Bool) = ([], false)

  /// What has come of the answer to one request.
  public struct Answer: Sendable {
    /// How it has ended.
    public enum Ending: Equatable, Sendable {
      /// It has not.
      case open
      /// END_STREAM.
      case whole
      /// RST_STREAM with this code (RFC 9113 §7).
      case reset(UInt32)
      /// The connection has ended before it.
      case cut
    }

    /// Its :status; 0 as long as no head has come.
    public var status = 0
    /// The statuses of interim responses before it.
    public var interim: [Int] = []
    /// The fields of its head. The value of a long one is empty: it is in the Huffman code.
    public var fields: [(name: String, value: String)] = []
    /// The fields behind its content.
    public var trailers: [(name: String, value: String)] = []
    /// Its content.
    public var body: [UInt8] = []
    /// How it has ended.
    public var ending = Ending.open

    /// The content as text.
    public var text: String { String(decoding: body, as: UTF8.self) }

    /// The values of a field, joined.
    public subscript(name: String) -> String? {
      let values = fields.filter { $0.name == name }.map(\.value)
      return values.isEmpty ? nil : values.joined(separator: " | ")
    }

    /// The same as of any other protocol; without fields.
    public func reply() throws(SupportError) -> Reply {
      guard status > 0 else { throw .malformedReply("no head; ended by \(ending)") }
      var reply = try Reply(head: "HTTP/2 \(status) \r\n\r\n")
      (reply.body, reply.isComplete) = (body, ending == .whole)
      return reply
    }
  }

  /// The widest window there is (RFC 9113 §6.9.1).
  public static let widest: UInt32 = 0x7fff_ffff

  /// Greets the server.
  ///
  /// - Parameters:
  ///   - window: bytes that each stream takes.
  ///   - givesBack: a stream takes as many again as have come; otherwise only `widen` lets it go on.
  public init(_ socket: RawSocket, window: UInt32 = HTTP2Client.widest, givesBack: Bool = false) throws {
    (self.socket, self.givesBack) = (socket, givesBack)
    // SETTINGS_INITIAL_WINDOW_SIZE is 4.
    try send(
      HTTP2Bytes.preface + HTTP2Bytes.frame(HTTP2Bytes.settings, 0, 0, [0, 4] + HTTP2Bytes.number(window))
        + HTTP2Bytes.frame(
          HTTP2Bytes.windowUpdate, 0, 0, HTTP2Bytes.number(HTTP2Client.widest - 65_535)))
  }

  // MARK: Sending

  /// Sends bytes as they are; whoever has gone takes nothing.
  public func send(_ bytes: [UInt8]) throws { try socket.send(bytes) }

  /// Sends a frame.
  public func send(_ type: UInt8, _ flags: UInt8, _ id: UInt32, _ payload: [UInt8] = []) throws {
    try send(HTTP2Bytes.frame(type, flags, id, payload))
  }

  /// Begins a request; the number of its stream.
  ///
  /// - Parameters:
  ///   - ends: it has no body.
  ///   - fields: behind those that every request has.
  public func request(
    _ target: String, _ method: String = "GET", ends: Bool = true,
    fields: [(name: String, value: String)] = []
  ) throws -> UInt32 {
    let usual = [(":method", method), (":scheme", "http"), (":path", target), (":authority", "localhost")]
    return try open(usual.map { (name: $0.0, value: $0.1) } + fields, ends: ends)
  }

  /// Asks for a WebSocket by extended CONNECT (RFC 8441 §5); the number of its stream.
  ///
  /// - Parameter fields: behind :method and the others.
  public func connect(_ target: String, fields: [(name: String, value: String)]) throws -> UInt32 {
    let first = [(name: ":method", value: "CONNECT"), (name: ":protocol", value: "websocket")]
    let usual = [(":scheme", "http"), (":path", target), (":authority", "localhost")]
    return try open(first + usual.map { (name: $0.0, value: $0.1) } + fields, ends: false)
  }

  /// Opens a stream with a head as it is; its number.
  public func open(_ fields: [(name: String, value: String)], ends: Bool) throws -> UInt32 {
    let id = nextID
    nextID += 2
    windows[id] = initialWindow
    answers[id] = Answer()
    var rest = HTTP2Bytes.block(fields)[...]
    var type = HTTP2Bytes.headers
    var flags = ends ? HTTP2Bytes.endStream : 0
    while rest.count > 16_384 {
      try send(type, flags, id, Array(rest.prefix(16_384)))
      rest = rest.dropFirst(16_384)
      (type, flags) = (HTTP2Bytes.continuation, 0)
    }
    try send(type, flags | HTTP2Bytes.endHeaders, id, Array(rest))
    return id
  }

  /// Begins a POST whose length is announced.
  public func post(_ target: String, length: Int) throws -> UInt32 {
    try request(target, "POST", ends: false, fields: [("content-length", "\(length)")])
  }

  /// Sends a piece of a body as far as the server's windows take it; false when the stream has ended before.
  @discardableResult
  public func upload(_ id: UInt32, _ bytes: [UInt8], ends: Bool = false) throws -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let room = min(16_384, rest.count, windows[0] ?? 0, windows[id] ?? 0)
      guard room > 0 else {
        if answers[id]?.ending != Answer.Ending.open { return false }
        try pump()
        continue
      }
      try send(HTTP2Bytes.data, 0, id, Array(rest.prefix(room)))
      rest = rest.dropFirst(room)
      windows[0]? -= room
      windows[id]? -= room
    }
    if ends { try send(HTTP2Bytes.data, HTTP2Bytes.endStream, id) }
    return true
  }

  /// Sends as much of these bytes as the server's windows take at once; how many.
  public func push(_ id: UInt32, _ bytes: [UInt8]) throws -> Int {
    let count = max(0, min(bytes.count, windows[0] ?? 0, windows[id] ?? 0))
    try upload(id, Array(bytes.prefix(count)))
    return count
  }

  /// Bytes that the server takes on a stream, as far as it has said so.
  public func window(_ id: UInt32) -> Int { windows[id] ?? 0 }

  /// Answers the PINGs that wait.
  public func answerPings() throws {
    for payload in pings { try send(HTTP2Bytes.ping, HTTP2Bytes.ack, 0, payload) }
    pings = []
  }

  /// Lets the server send this many more bytes on a stream.
  public func widen(_ id: UInt32, by count: UInt32) throws {
    try send(HTTP2Bytes.windowUpdate, 0, id, HTTP2Bytes.number(count))
  }

  /// Ends a stream at once: CANCEL, unless another code is wanted (RFC 9113 §7).
  public func reset(_ id: UInt32, code: UInt32 = 8) throws {
    try send(HTTP2Bytes.reset, 0, id, HTTP2Bytes.number(code))
  }

  // MARK: Receiving

  /// Takes what has come, without waiting.
  public func takeIn() throws { while !isOver, socket.hasInput { try pump() } }

  /// Reads until the head of an answer has come, or its stream has ended.
  public func head(_ id: UInt32) throws -> Answer {
    while soFar(id).status == 0, soFar(id).ending == .open { try pump() }
    return soFar(id)
  }

  /// What has come of an answer so far, as far as it was read.
  public func soFar(_ id: UInt32) -> Answer { answers[id] ?? Answer() }

  /// Takes what has come, without waiting; whether the answer has ended.
  public func hasEnded(_ id: UInt32) throws -> Bool {
    while soFar(id).ending == .open, !isOver, socket.hasInput { try pump() }
    return soFar(id).ending != .open
  }

  /// Reads until an answer has ended, or its connection.
  public func answer(_ id: UInt32) throws -> Answer {
    while soFar(id).ending == .open { try pump() }
    return soFar(id)
  }

  /// Reads until an answer is as wanted, or has ended.
  public func answer(_ id: UInt32, until isWanted: (Answer) -> Bool) throws -> Answer {
    while soFar(id).ending == .open, !isWanted(soFar(id)) { try pump() }
    return soFar(id)
  }

  /// Sends a whole request and reads its answer.
  public func exchange(
    _ target: String, body: [UInt8] = [], fields: [(name: String, value: String)] = []
  ) throws -> Answer {
    if body.isEmpty { return try answer(try request(target, fields: fields)) }
    let length = (name: "content-length", value: "\(body.count)")
    let id = try request(target, "POST", ends: false, fields: fields + [length])
    try upload(id, body, ends: true)
    return try answer(id)
  }

  /// Reads to the end of the connection.
  public func finish() throws { while !isOver { try pump() } }

  /// Reads what comes next: some frames, or the end.
  func pump() throws {
    var bytes: [UInt8] = []
    do { bytes = try socket.receive() } catch SupportError.system(call: "recv", errno: ECONNRESET) {}
    if bytes.isEmpty {
      isOver = true
      for id in answers.keys where answers[id]?.ending == Answer.Ending.open { answers[id]?.ending = .cut }
      return
    }
    received += bytes
    var rest = received[...]
    while let frame = HTTP2Bytes.take(&rest) { try heed(frame) }
    received = Array(rest)
  }

  private func heed(_ frame: HTTP2Bytes.Frame) throws {
    let isAnswer = frame.flags & HTTP2Bytes.ack != 0
    switch frame.type {
    case HTTP2Bytes.headers:
      block = (frame.payload, frame.flags & HTTP2Bytes.endStream != 0)
      if frame.flags & HTTP2Bytes.endHeaders != 0 { try blockEnded(frame.id) }
    case HTTP2Bytes.continuation:
      block.bytes += frame.payload
      if frame.flags & HTTP2Bytes.endHeaders != 0 { try blockEnded(frame.id) }
    case HTTP2Bytes.data:
      answers[frame.id]?.body += frame.payload
      if givesBack, !frame.payload.isEmpty { try widen(frame.id, by: UInt32(frame.payload.count)) }
      if frame.flags & HTTP2Bytes.endStream != 0 { answers[frame.id]?.ending = .whole }
    // One behind END_STREAM says that the rest of the request is not wanted (§8.1).
    case HTTP2Bytes.reset where answers[frame.id]?.ending != .whole:
      answers[frame.id]?.ending = .reset(HTTP2Bytes.number(frame.payload))
    case HTTP2Bytes.settings where !isAnswer:
      take(settings: frame.payload)
      try send(HTTP2Bytes.settings, HTTP2Bytes.ack, 0)
    case HTTP2Bytes.ping where !isAnswer:
      pings.append(frame.payload)
      if answersPings { try answerPings() }
    case HTTP2Bytes.goAway:
      let payload = frame.payload
      goAways.append((HTTP2Bytes.number(payload), HTTP2Bytes.number(payload.dropFirst(4))))
    case HTTP2Bytes.windowUpdate: windows[frame.id, default: 0] += Int(HTTP2Bytes.number(frame.payload))
    default: break
    }
  }

  /// A head or trailers are complete.
  private func blockEnded(_ id: UInt32) throws {
    let fields = try HTTP2Bytes.fields(block.bytes)
    if fields.first?.name == ":status", let status = Int(fields[0].value) {
      if status < 200 {
        answers[id]?.interim.append(status)
      } else {
        answers[id]?.status = status
        answers[id]?.fields = Array(fields.dropFirst())
      }
    } else if soFar(id).status > 0, block.ends {
      answers[id]?.trailers = fields
    } else {
      throw SupportError.malformedReply("a head that begins with \(block.bytes.prefix(8))")
    }
    if block.ends { answers[id]?.ending = .whole }
  }

  private func take(settings payload: [UInt8]) {
    for start in stride(from: 0, through: payload.count - 6, by: 6) {
      let value = HTTP2Bytes.number(payload[(start + 2)...])
      settings[UInt16(payload[start]) << 8 | UInt16(payload[start + 1])] = value
      guard payload[start + 1] == 4 else { continue }
      for id in windows.keys where id != 0 { windows[id]? += Int(value) - initialWindow }
      initialWindow = Int(value)
    }
  }
}
