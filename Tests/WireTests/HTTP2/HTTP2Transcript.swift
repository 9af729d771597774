import Support

@testable import Wire

/// What a session makes of a conversation, as lines of text; the same however the bytes arrive.
struct HTTP2Transcript: Equatable {
  private(set) var lines: [String] = []
  private var body: (id: UInt32, bytes: [UInt8]) = (0, [])
  /// Answers, and bytes of tunnels, that wait for a window.
  private var waiting: [UInt32: [UInt8]] = [:]
  private var tunnels: [UInt32: [UInt8]] = [:]

  static func == (one: HTTP2Transcript, other: HTTP2Transcript) -> Bool { one.lines == other.lines }

  /// Small ones, so that fixtures about them are small.
  static var limits: HTTP2Limits {
    var limits = HTTP2Limits(head: .fixtures)
    (limits.streams, limits.streamWindow, limits.connectionWindow) = (4, 65535, 100_000)
    // That of the connection does not grow.
    (limits.streamWindowAtMost, limits.connectionWindowAtMost) = (200_000, 100_000)
    return limits
  }

  init(_ steps: [HTTP2Script.Step], pieces: (Int) -> [Int]) {
    var session = HTTP2Session(limits: Self.limits)
    var out = ByteBuffer()
    session.greet(into: &out)
    flush(&out)
    for step in steps {
      switch step {
      case .command(let command): perform(command, &session, &out)
      case .bytes(let bytes): guard feed(bytes, pieces(bytes.count), &session, &out) else { return }
      }
    }
    flushBody()
    if session.isMidway { lines.append("midway") }
  }

  /// Gives the bytes piece by piece; false once the connection is over.
  private mutating func feed(
    _ bytes: [UInt8], _ pieces: [Int], _ session: inout HTTP2Session, _ out: inout ByteBuffer
  ) -> Bool {
    let memory = GuardedMemory(capacity: bytes.count)
    var (used, given) = (0, 0)
    var pieces = pieces[...]
    repeat {
      given = min(bytes.count, given + (pieces.popFirst() ?? bytes.count))
      let window = memory.place(bytes[used..<given])
      var offset = 0
      do throws(HTTP2Error) {
        while true {
          let event = try session.next(UnsafeRawBufferPointer(window), &offset, into: &out)
          if case .needMore = event {
            flush(&out)
            break
          }
          try note(event, window, &session, &out)
        }
      } catch {
        flush(&out)
        flushBody()
        lines.append("error \(error.code) \(caseName(error))")
        return false
      }
      used += offset
    } while given < bytes.count
    return true
  }

  private mutating func note(
    _ event: HTTP2Session.Event, _ window: UnsafeMutableRawBufferPointer, _ session: inout HTTP2Session,
    _ out: inout ByteBuffer
  ) throws(HTTP2Error) {
    if case .data(let id, let range) = event {
      flush(&out)
      if body.id != id { flushBody() }
      body.id = id
      body.bytes += window[Int(range.start)..<range.end]
      return
    }
    // What the session says of an event comes with it.
    flush(&out)
    flushBody()
    switch event {
    case .request(let id, let ends):
      lines.append("request \(id) \(ends ? "ends" : "open")")
      var head = RequestHead(capacity: 64)
      if let error = try session.takeHead(&head) {
        lines.append("refused \(id) \(error.code) \(caseName(error)) \(error.answer)")
        session.reset(id, error.code, into: &out)
      } else {
        describe(head)
      }
    case .ended(let id):
      if let trailers = session.takeTrailers(id) {
        lines.append("trailers \(id) \(Escapes.text(Array(trailers.bytes)))")
      }
      lines.append("ended \(id)")
    case .over(let id, let error): lines.append("over \(id) \(error.map { caseName($0) } ?? "by client")")
    case .window(let id):
      lines.append("window \(id)")
      for stream in waiting.keys.sorted() { move(stream, &session, &out) }
      for stream in tunnels.keys.sorted() { moveTunnel(stream, &session, &out) }
    case .goAway: lines.append("goaway")
    case .needMore, .data: break
    }
  }

  private mutating func describe(_ head: borrowing RequestHead) {
    guard let base = head.assembled.base else { return }
    func text(_ range: ByteRange) -> String { Escapes.text(range.bytes(in: base)) }
    var line = "head \(text(head.method.range)) \(text(head.path.range))"
    if !head.authority.isEmpty { line += " authority=\(text(head.authority))" }
    switch head.framing {
    case .stream(let announced): line += " stream" + (announced.map { "=\($0)" } ?? "")
    case .none, .length, .chunked: line += " none"
    }
    if head.expectsContinue { line += " continue" }
    if head.asksForWebSocket { line += " websocket" }
    lines.append(line)
    for position in 0..<head.count {
      lines.append("field \(text(head[position].name)): \(text(head[position].value.range))")
    }
  }

  private mutating func perform(
    _ command: HTTP2Script.Command, _ session: inout HTTP2Session, _ out: inout ByteBuffer
  ) {
    flushBody()
    switch command {
    case .answer(let id, let status, let body):
      var response = ResponseHead(limit: 65536)
      try? response.begin(status: status)
      let question = ResponsePlan.Question(
        gateway: .http2, isHead: false, minorVersion: 1, persists: false, status: status, declaredLength: -1,
        knownLength: Int64(body.count))
      let memory = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 16)
      defer { memory.deallocate() }
      let own = ServerFields(seconds: 0, server: "", in: memory)
      var frames = ByteBuffer()
      body.withUnsafeBytes {
        HTTP2ResponseWriter.whole(
          &response, ResponsePlan(question), own: own, body: $0, id: id, into: &frames)
      }
      waiting[id] = Array(frames.bytes)
      move(id, &session, &out)
    case .consume(let id, let count): session.consumed(id, count, into: &out)
    case .reset(let id, let code): session.reset(id, HTTP2Code(rawValue: code)!, into: &out)
    case .goAway(let id): session.goAway(id, .none, into: &out)
    case .accept(let id):
      waiting[id] = Self.accepting(id)
      move(id, &session, &out)
    case .tunnel(let id, let bytes):
      tunnels[id, default: []] += bytes
      moveTunnel(id, &session, &out)
    case .abandon(let id): session.abandon(id, into: &out)
    }
    flush(&out)
  }

  /// The head that accepts a WebSocket.
  private static func accepting(_ id: UInt32) -> [UInt8] {
    var response = ResponseHead(limit: 65536)
    try? response.begin(status: 200)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 16)
    defer { memory.deallocate() }
    let encoder = ResponseEncoder(.http2, isNonParsed: false, minorVersion: 1, requestID: id)
    var frames = ByteBuffer()
    encoder.upgrade(
      &response, own: { ServerFields(seconds: 0, server: "", in: memory) }, into: &frames)
    return Array(frames.bytes)
  }

  private mutating func moveTunnel(
    _ id: UInt32, _ session: inout HTTP2Session, _ out: inout ByteBuffer
  ) {
    guard let bytes = tunnels.removeValue(forKey: id) else { return }
    var left = ByteBuffer()
    bytes.withUnsafeBytes { left.append($0) }
    switch session.moveTunnel(id, &left, most: .max, into: &out) {
    case .blocked: tunnels[id] = Array(left.bytes)
    case .all, .more, .over: break
    }
    flush(&out)
  }

  private mutating func move(_ id: UInt32, _ session: inout HTTP2Session, _ out: inout ByteBuffer) {
    guard let bytes = waiting.removeValue(forKey: id) else { return }
    var frames = ByteBuffer()
    bytes.withUnsafeBytes { frames.append($0) }
    switch session.move(id, &frames, most: .max, into: &out) {
    case .blocked: waiting[id] = Array(frames.bytes)
    case .all, .more, .over: break
    }
    flush(&out)
  }

  /// What the session has written, a line a frame.
  private mutating func flush(_ out: inout ByteBuffer) {
    let bytes = Array(out.bytes)
    out.removeAll()
    var position = 0
    if !bytes.isEmpty { flushBody() }
    while position < bytes.count {
      let frame = bytes[position...].withUnsafeBytes { HTTP2Frame($0.baseAddress!) }
      let payload = Array(bytes[(position + 9)..<(position + 9 + frame.length)])
      position += 9 + frame.length
      let name = HTTP2Script.types[Int(frame.type)]
      var line = "out \(name) \(frame.id) \(frame.flags) \(Escapes.text(payload))"
      if name == "HEADERS" { line = "out HEADERS \(frame.id) \(frame.flags)" }
      if ["WINDOW_UPDATE", "RST_STREAM"].contains(name) {
        line = "out \(name) \(frame.id) \(payload.reduce(0) { $0 << 8 | Int($1) })"
      }
      lines.append(line)
    }
  }

  private mutating func flushBody() {
    if !body.bytes.isEmpty { lines.append("data \(body.id) \"\(Escapes.text(body.bytes))\"") }
    body = (0, [])
  }
}

/// The runtime's own name of an enum case.
@_silgen_name("swift_EnumCaseName")
private func runtimeCaseName<Value>(_ value: Value) -> UnsafePointer<CChar>?

private func caseName(_ value: HTTP2Error) -> String {
  if case .flood(let kind) = value { return "flood \(kind)" }
  if case .compression(let error) = value { return "compression \(error)" }
  return runtimeCaseName(value).map { String(cString: $0) } ?? "?"
}
