// What must hold for any bytes on a connection of HTTP/2: how they arrive does not matter, nor how a field
// block is cut into frames.
import Wire

extension HTTP2Limits {
  /// The limits of fuzzing and of the corpus replay: so small that short inputs reach them.
  public static var fuzzing: HTTP2Limits {
    var limits = HTTP2Limits(head: .fuzzing)
    (limits.streams, limits.streamWindow, limits.connectionWindow) = (3, 300, 500)
    (limits.streamWindowAtMost, limits.connectionWindowAtMost) = (1000, 2000)
    (limits.continuations, limits.settings, limits.replies) = (2, 4, 4)
    limits.resets = (burst: 6, rate: 1)
    limits.idleFrames = (burst: 12, rate: 1)
    return limits
  }

  /// The same for field blocks, of which as many may come as an input has.
  fileprivate static var blocks: HTTP2Limits {
    var limits = HTTP2Limits(head: .fuzzing)
    limits.streams = 2000
    return limits
  }
}

/// Feeds `input`, which begins with the preface, whole, byte by byte and in random pieces. Returns what is
/// wrong; empty if all is well.
public func verifySession(_ input: [UInt8]) -> [String] {
  let memory = GuardedMemory(capacity: input.count)
  let whole = SessionTranscript(input, [], .fuzzing, memory)
  if !whole.breaches.isEmpty { return whole.breaches }
  var random = SeededRandom(1)
  for pieces in [bytewise(input.count), random.pieces(of: input.count)] {
    let other = SessionTranscript(input, pieces, .fuzzing, memory)
    if other.lines != whole.lines {
      return [difference("pieces of \(pieces)", other.lines + other.breaches, whole.lines)]
    }
  }
  return []
}

/// Takes `input` for field blocks, each behind a byte that is its length, and sends each as the head of a
/// request: in one frame, and with a CONTINUATION from its second byte, its middle, or a random place on. All
/// of them share one dynamic table. Returns what is wrong; empty if all is well.
public func verifyFieldBlocks(_ input: [UInt8]) -> [String] {
  var blocks: [[UInt8]] = []
  var rest = input[...]
  while let length = rest.popFirst() {
    blocks.append(Array(rest.prefix(Int(length))))
    rest = rest.dropFirst(Int(length))
  }
  let whole = SessionTranscript(conversation(blocks) { $0 }, .blocks)
  if !whole.breaches.isEmpty { return whole.breaches }
  var random = SeededRandom(1)
  let ways: [(name: String, cut: (Int) -> Int)] = [
    ("second byte", { min(1, $0) }), ("middle", { $0 / 2 }),
    ("random place", { Int.random(in: 0...$0, using: &random) }),
  ]
  for way in ways {
    let other = SessionTranscript(conversation(blocks, cut: way.cut), .blocks)
    if other.lines != whole.lines {
      return [difference("cut at its \(way.name)", other.lines + other.breaches, whole.lines)]
    }
  }
  return []
}

/// A client's bytes with each block as a request; what `cut` leaves of a block stands in a second frame.
private func conversation(_ blocks: [[UInt8]], cut: (Int) -> Int) -> [UInt8] {
  var bytes = HTTP2Bytes.preface + HTTP2Bytes.frame(HTTP2Bytes.settings, 0, 0, [])
  for (number, block) in blocks.enumerated() {
    let (id, place) = (UInt32(2 * number + 1), cut(block.count))
    let isWhole = place == block.count
    let flags = HTTP2Bytes.endStream | (isWhole ? HTTP2Bytes.endHeaders : 0)
    bytes += HTTP2Bytes.frame(HTTP2Bytes.headers, flags, id, Array(block[..<place]))
    if isWhole { continue }
    bytes += HTTP2Bytes.frame(
      HTTP2Bytes.continuation, HTTP2Bytes.endHeaders, id, Array(block[place...]))
  }
  return bytes
}

/// What a session makes of a client's bytes. Its host answers every other request at once, with a body that
/// may have to wait for windows, and gives the windows of a request back at its end.
private struct SessionTranscript {
  private(set) var lines: [String] = []
  /// What the session must never do, whatever it is given; empty if all is well.
  private(set) var breaches: [String] = []
  /// Bytes of a body that have come, in however many pieces.
  private var body: (id: UInt32, bytes: [UInt8]) = (0, [])
  /// What the session has written since the last line.
  private var said: [UInt8] = []
  /// Answers, and bytes of tunnels, that wait for a window.
  private var waiting: [UInt32: [UInt8]] = [:]
  private var tunnels: [UInt32: [UInt8]] = [:]

  init(_ input: [UInt8], _ limits: HTTP2Limits) {
    self.init(input, [], limits, GuardedMemory(capacity: input.count))
  }

  /// - Parameter pieces: how many bytes come at a time; all the rest at last.
  init(_ input: [UInt8], _ pieces: [Int], _ limits: HTTP2Limits, _ memory: GuardedMemory) {
    var session = HTTP2Session(limits: limits)
    var out = ByteBuffer()
    session.greet(into: &out)
    flush(&out)
    var (used, given) = (0, 0)
    var pieces = pieces[...]
    repeat {
      given = min(input.count, given + (pieces.popFirst() ?? input.count))
      let window = UnsafeRawBufferPointer(memory.place(input[used..<given]))
      guard let count = read(window, &session, &out) else { return }
      used += count
    } while given < input.count
    let end = "\(session.count) streams\(session.isMidway ? ", midway" : "")"
    line(end)
  }

  /// Reads what is there; how much of it was used up, or nil once the connection is over.
  private mutating func read(
    _ window: UnsafeRawBufferPointer, _ session: inout HTTP2Session, _ out: inout ByteBuffer
  ) -> Int? {
    var offset = 0
    do throws(HTTP2Error) {
      while breaches.isEmpty {
        let before = offset
        let event = try session.next(window, &offset, into: &out)
        if offset < before || offset > window.count {
          breaches.append("offset went from \(before) to \(offset) of \(window.count)")
        }
        flush(&out)
        if case .needMore = event { return offset }
        try note(event, window, before..<max(before, offset), &session, &out)
        flush(&out)
      }
    } catch {
      flush(&out)
      line("error \(error.code) \(error.description)")
    }
    return nil
  }

  private mutating func note(
    _ event: HTTP2Session.Event, _ window: UnsafeRawBufferPointer, _ used: Range<Int>,
    _ session: inout HTTP2Session, _ out: inout ByteBuffer
  ) throws(HTTP2Error) {
    switch event {
    case .needMore: break
    case .data(let id, let range):
      guard used.contains(Int(range.start)), range.end <= used.upperBound else {
        return breaches.append("data \(range.start)..<\(range.end) outside of \(used), used up")
      }
      if body.id != id || !said.isEmpty { flushAll() }
      body.id = id
      body.bytes += window[Int(range.start)..<range.end]
    case .request(let id, let ends):
      line("request \(id) \(ends ? "ends" : "open")")
      var head = RequestHead(capacity: HeadLimits.fuzzing.fields)
      if let error = try session.takeHead(&head) {
        line("refused \(id) \(error.description)")
        return session.reset(id, error.code, into: &out)
      }
      describe(head)
      if id & 2 == 0 { answer(id, isTunnel: head.asksForWebSocket, &session, &out) }
    case .ended(let id):
      if let trailers = session.takeTrailers(id) {
        line("trailers \(id) \(Escapes.text(Array(trailers.bytes)))")
      }
      line("ended \(id)")
      session.consumed(id, .max, into: &out)
    case .over(let id, let error):
      line("over \(id) \(error?.description ?? "by client")")
      waiting[id] = nil
      tunnels[id] = nil
    case .window(let id):
      line("window \(id)")
      for stream in waiting.keys.sorted() { move(stream, &session, &out) }
      for stream in tunnels.keys.sorted() { moveTunnel(stream, &session, &out) }
    case .goAway: line("goaway")
    }
  }

  private mutating func describe(_ head: borrowing RequestHead) {
    guard let base = head.assembled.base else { return }
    func text(_ range: ByteRange) -> String { Escapes.text(range.bytes(in: UnsafeRawPointer(base))) }
    let kind = head.asksForWebSocket ? "WebSocket" : "head"
    line("\(kind) \(text(head.method.range)) \(text(head.path.range)) \(text(head.authority))")
    for position in 0..<head.count {
      line("field \(text(head[position].name)): \(text(head[position].value.range))")
    }
  }

  private mutating func answer(
    _ id: UInt32, isTunnel: Bool, _ session: inout HTTP2Session, _ out: inout ByteBuffer
  ) {
    // A head of `:status: 200` and nothing else.
    let head = HTTP2Bytes.frame(HTTP2Bytes.headers, HTTP2Bytes.endHeaders, id, [0x88])
    let content = [UInt8](repeating: 0x61, count: 200)
    if isTunnel {
      waiting[id] = head
      tunnels[id] = content
    } else {
      waiting[id] = head + HTTP2Bytes.frame(HTTP2Bytes.data, HTTP2Bytes.endStream, id, content)
    }
    move(id, &session, &out)
    moveTunnel(id, &session, &out)
  }

  private mutating func moveTunnel(
    _ id: UInt32, _ session: inout HTTP2Session, _ out: inout ByteBuffer
  ) {
    guard let bytes = tunnels.removeValue(forKey: id) else { return }
    var left = ByteBuffer()
    bytes.withUnsafeBytes { left.append($0) }
    switch session.moveTunnel(id, &left, most: .max, into: &out) {
    case .blocked: tunnels[id] = Array(left.bytes)
    case .all, .over: break
    case .more: breaches.append("tunnel \(id) was to move all that it can")
    }
    flush(&out)
  }

  private mutating func move(_ id: UInt32, _ session: inout HTTP2Session, _ out: inout ByteBuffer) {
    guard let bytes = waiting.removeValue(forKey: id) else { return }
    var frames = ByteBuffer()
    bytes.withUnsafeBytes { frames.append($0) }
    switch session.move(id, &frames, most: .max, into: &out) {
    case .blocked: waiting[id] = Array(frames.bytes)
    case .all, .over: break
    case .more: breaches.append("stream \(id) was to move all that it can")
    }
    flush(&out)
  }

  /// Takes what the session has written: whole frames, or it is a breach.
  private mutating func flush(_ out: inout ByteBuffer) {
    guard !out.isEmpty else { return }
    if !body.bytes.isEmpty { flushAll() }
    let bytes = Array(out.bytes)
    out.removeAll()
    said += bytes
    var rest = bytes[...]
    while !rest.isEmpty {
      guard let frame = HTTP2Bytes.take(&rest) else {
        return breaches.append("half a frame was written: \(rest)")
      }
      if frame.payload.count > 16_384 { breaches.append("a frame of \(frame.payload.count) bytes") }
    }
  }

  private mutating func line(_ text: String) {
    flushAll()
    lines.append(text)
  }

  /// One of them is empty: each begins when the other was written down.
  private mutating func flushAll() {
    if !body.bytes.isEmpty { lines.append("data \(body.id) \"\(Escapes.text(body.bytes))\"") }
    if !said.isEmpty { lines.append("out \(Escapes.text(said))") }
    (body, said) = ((0, []), [])
  }
}
