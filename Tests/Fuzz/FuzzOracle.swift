// libFuzzer target that compares the codec of HTTP/2 with libnghttp2 (Tests/Fuzz/oracle): field blocks and
// connections, each in both directions; Tests/Fuzz/fuzz.sh oracle 60 runs it for a minute.
import CNGHTTP2
import Support

@testable import Wire

/// One input: its first byte says what is compared; what that is made of are the others.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var input = Choices(Array(UnsafeBufferPointer(start: start, count: count)))
  let problem: String?
  switch input.next() % 4 {
  case 0: problem = compareDecoders(&input)
  case 1: problem = compareEncoders(&input)
  case 2: problem = compareServers(&input)
  default: problem = answerClient(&input)
  }
  if let problem { fatalError(problem) }
  return 0
}

/// The bytes of an input, one after another; zeros behind its end.
private struct Choices {
  private var bytes: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

  var isEmpty: Bool { bytes.isEmpty }

  mutating func next() -> UInt8 { bytes.popFirst() ?? 0 }

  /// At most so many.
  mutating func next(_ count: Int) -> [UInt8] {
    let some = Array(bytes.prefix(count))
    bytes = bytes.dropFirst(count)
    return some
  }

  /// A number, and as many bytes.
  mutating func counted() -> [UInt8] {
    let count = Int(next())
    return next(count)
  }
}

/// What the oracle writes; nil if it refuses.
private func written(_ body: (inout oracle_text) -> CInt) -> [UInt8]? {
  var text = oracle_text()
  defer { oracle_text_free(&text) }
  guard body(&text) == 0 else { return nil }
  return Array(UnsafeMutableBufferPointer(start: text.bytes, count: text.count))
}

/// Bytes behind their number, as the oracle has them.
private func string(_ bytes: [UInt8]) -> [UInt8] { HTTP2Bytes.number(UInt32(bytes.count)) + bytes }

private func difference(_ name: String, _ ours: [UInt8]?, _ theirs: [UInt8]?) -> String {
  func text(_ bytes: [UInt8]?) -> String { bytes.map { Escapes.text($0) } ?? "refused" }
  return "\(name)\nours:   \(text(ours))\ntheirs: \(text(theirs))"
}

// MARK: Field blocks

/// Blocks of one connection: both decoders read the same, or refuse the same.
private func compareDecoders(_ input: inout Choices) -> String? {
  var decoder = HPACKDecoder()
  let other = oracle_decoder_new()
  defer { oracle_decoder_free(other) }
  while !input.isEmpty {
    let block = input.counted()
    let ours = decode(block, &decoder)
    let theirs = written { oracle_decode(other, block, block.count, &$0) }
    if ours != theirs { return difference("block \(Escapes.text(block))", ours, theirs) }
    // A connection ends with it.
    if ours == nil { return nil }
  }
  return nil
}

/// The fields of a block as our decoder reads them; nil if it refuses them.
private func decode(_ block: [UInt8], _ decoder: inout HPACKDecoder) -> [UInt8]? {
  var fields: [UInt8] = []
  var text = ByteBuffer()
  var position = 0
  decoder.begin()
  return block.withUnsafeBytes { bytes -> [UInt8]? in
    do throws(HPACKError) {
      while let field = try decoder.next(bytes, &position, into: &text) {
        guard let base = text.base else { return nil }
        fields += string(Array(field.name.bytes(in: base))) + string(Array(field.value.bytes(in: base)))
      }
      return fields
    } catch { return nil }
  }
}

/// Fields of our encoder for their decoder, and of theirs, which has a table, for ours.
private func compareEncoders(_ input: inout Choices) -> String? {
  var decoder = HPACKDecoder()
  let reader = oracle_decoder_new()
  let writer = oracle_encoder_new()
  defer {
    oracle_decoder_free(reader)
    oracle_encoder_free(writer)
  }
  while !input.isEmpty {
    let fields = someFields(&input)
    let expected = fields.flatMap { string($0.name.map(Ascii.lower)) + string($0.value) }
    var out = ByteBuffer()
    for field in fields {
      field.name.withUnsafeBytes { name in
        field.value.withUnsafeBytes { value in HPACKEncoder.field(name, value, into: &out) }
      }
    }
    let block = Array(out.bytes)
    let theirs = written { oracle_decode(reader, block, block.count, &$0) }
    if theirs != expected { return difference("our block \(Escapes.text(block))", expected, theirs) }
    let table = UInt32(input.next()) * 17
    let isSecret = CInt(input.next() & 1)
    let coded = written { oracle_encode(writer, table, isSecret, expected, expected.count, &$0) }
    guard let coded else { return "their encoder refuses \(Escapes.text(expected))" }
    let ours = decode(coded, &decoder)
    if ours != expected { return difference("their block \(Escapes.text(coded))", ours, expected) }
  }
  return nil
}

/// Names that answers have; none that says anything of the connection.
private let names = [
  "Content-Type", "X-Made-Up", "Set-Cookie", "ETag", "Location", "Vary", "Cache-Control", "link", "Expires",
  "Strict-Transport-Security", "content-disposition", "via", "age", "Content-Range", "x",
]

/// Fields with any bytes in their values.
private func someFields(_ input: inout Choices) -> [(name: [UInt8], value: [UInt8])] {
  let count = Int(input.next() % 6)
  var fields: [(name: [UInt8], value: [UInt8])] = []
  for _ in 0..<count {
    let name = Array(names[Int(input.next()) % names.count].utf8)
    fields.append((name, input.counted()))
  }
  return fields
}

// MARK: Connections

private func limits() -> HTTP2Limits {
  let head = HeadLimits(headBytes: 65536, fields: 500, chunkLineBytes: 64, bodyBytes: 1 << 20)
  var limits = HTTP2Limits(head: head)
  limits.streams = 1000
  // A client with a small window sends frames for each byte.
  limits.idleFrames = (burst: 1_000_000, rate: 0)
  return limits
}

/// A client's frames: what both accept without any complaint has to mean the same to both.
private func compareServers(_ input: inout Choices) -> String? {
  var bytes = HTTP2Bytes.preface + HTTP2Bytes.frame(HTTP2Bytes.settings, 0, 0, [])
  while !input.isEmpty {
    let (type, flags, id) = (input.next() % 11, input.next(), UInt32(input.next() & 15))
    // The eleventh is PRIORITY_UPDATE.
    bytes += HTTP2Bytes.frame(type == 10 ? 16 : type, flags, id, input.counted())
  }
  guard let ours = serve(bytes) else { return nil }
  let theirs = written { oracle_serve(bytes, bytes.count, &$0) }
  guard let theirs, ours != theirs else { return nil }
  return difference("a client's \(Escapes.text(bytes))", ours, theirs)
}

/// What our session makes of a client's bytes; nil if it refuses anything of them.
private func serve(_ bytes: [UInt8]) -> [UInt8]? {
  var session = HTTP2Session(limits: limits())
  var out = ByteBuffer()
  var events = Events()
  var offset = 0
  let isAccepted = bytes.withUnsafeBytes { bytes -> Bool in
    do throws(HTTP2Error) {
      while true {
        let event = try session.next(bytes, &offset, into: &out)
        if event == .needMore { return true }
        guard try events.note(event, bytes, &session) else { return false }
      }
    } catch { return false }
  }
  guard isAccepted else { return nil }
  var said = Array(out.bytes)[...]
  while let frame = HTTP2Bytes.take(&said) {
    if frame.type == HTTP2Bytes.reset || frame.type == HTTP2Bytes.goAway { return nil }
  }
  return events.bytes
}

/// The events of our session, written as the oracle writes its own.
private struct Events {
  private(set) var bytes: [UInt8] = []
  /// The stream of the last event, if that was bytes of a body.
  private var dataStream: UInt32 = 0

  /// Takes an event; false for one that refuses something, and for a WebSocket, unknown to the oracle.
  mutating func note(
    _ event: HTTP2Session.Event, _ input: UnsafeRawBufferPointer, _ session: inout HTTP2Session
  ) throws(HTTP2Error) -> Bool {
    switch event {
    case .needMore, .window: break
    case .request(let id, let ends):
      var head = RequestHead(capacity: 500)
      let fault = try session.takeHead(&head)
      if fault != nil || head.asksForWebSocket { return false }
      put("R", id)
      bytes.append(ends ? 1 : 0)
      append(head)
    case .data(let id, let range):
      if dataStream != id { put("D", id) }
      dataStream = id
      bytes += input[Int(range.start)..<range.end]
    case .ended(let id): put("E", id)
    case .over(let id, let error):
      if error != nil { return false }
      put("X", id)
    case .goAway:
      bytes.append(UInt8(ascii: "G"))
      dataStream = 0
    }
    return true
  }

  private mutating func put(_ kind: Unicode.Scalar, _ id: UInt32) {
    bytes.append(UInt8(ascii: kind))
    bytes += HTTP2Bytes.number(id)
    dataStream = 0
  }

  private mutating func append(_ head: borrowing RequestHead) {
    guard let base = head.assembled.base else { return }
    func text(_ range: ByteRange) -> [UInt8] { Array(range.bytes(in: UnsafeRawPointer(base))) }
    var (fields, cookie) = ([UInt8](), [UInt8]())
    for position in 0..<head.count {
      let (name, value) = (text(head[position].name), text(head[position].value.range))
      if name == Array("cookie".utf8) { cookie = value } else { fields += string(name) + string(value) }
    }
    bytes += string(text(head.method.range)) + string(text(head.path.range))
    bytes += string(text(head.authority)) + string(fields) + string(cookie)
  }
}

// MARK: Answers

/// What one stream of the client is to get.
private struct Answer {
  /// Frames that have not moved.
  var left: [UInt8]
  /// As the oracle's client writes what it gets.
  let expected: [UInt8]

  /// A status, some fields and a body.
  init(_ id: UInt32, _ input: inout Choices) {
    let status = [200, 404, 201, 500, 302][Int(input.next() % 5)]
    var response = ResponseHead(limit: 40_000)
    try? response.begin(status: status)
    var expected = string(Array(":status".utf8)) + string(Array("\(status)".utf8))
    for field in someFields(&input) {
      let text = field.value.map { 0x21 + $0 % 94 }
      // Long ones take several frames.
      let value = Array(repeatElement(text, count: input.next() > 250 ? 60 : 1).joined())
      let isAdded = field.name.withUnsafeBytes { name in
        value.withUnsafeBytes { value in (try? response.add(name: name, value: value)) != nil }
      }
      if isAdded { expected += string(field.name.map(Ascii.lower)) + string(value) }
    }
    let body = [UInt8](repeating: 0x61 + UInt8(id), count: 3 * Int(input.next()))
    self.expected = expected + body + [UInt8(ascii: "E")]
    let question = ResponsePlan.Question(
      gateway: .http2, isHead: false, minorVersion: 1, persists: false, status: status, declaredLength: -1,
      knownLength: Int64(body.count))
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 16)
    defer { memory.deallocate() }
    let own = ServerFields(seconds: 0, server: "", in: memory)
    var frames = ByteBuffer()
    body.withUnsafeBytes {
      HTTP2ResponseWriter.whole(&response, ResponsePlan(question), own: own, body: $0, id: id, into: &frames)
    }
    left = Array(frames.bytes)
  }

  /// Moves what windows allow.
  mutating func move(_ id: UInt32, most: Int, _ session: inout HTTP2Session, into out: inout ByteBuffer) {
    var frames = ByteBuffer()
    left.withUnsafeBytes { frames.append($0) }
    _ = session.move(id, &frames, most: most, into: &out)
    left = Array(frames.bytes)
  }
}

/// Takes what a client says, and begins an answer to each of its requests. Returns what is wrong.
private func hear(
  _ said: [UInt8], _ session: inout HTTP2Session, _ answers: inout [UInt32: Answer], _ input: inout Choices,
  into out: inout ByteBuffer
) -> String? {
  var offset = 0
  return said.withUnsafeBytes { bytes -> String? in
    do throws(HTTP2Error) {
      while true {
        let event = try session.next(bytes, &offset, into: &out)
        if case .request(let id, _) = event {
          var head = RequestHead(capacity: 64)
          if let fault = try session.takeHead(&head) { return "our session refuses a request: \(fault)" }
          answers[id] = Answer(id, &input)
        }
        if event == .needMore { return offset == bytes.count ? nil : "our session waits for more" }
      }
    } catch { return "our session refuses the client: \(error)" }
  }
}

/// Answers for their client, whose windows, table and number of streams the input chooses: it has to accept
/// everything, and to get what was written.
private func answerClient(_ input: inout Choices) -> String? {
  let table = [UInt32(0), 100, 4096, 65536][Int(input.next() & 3)]
  let window = [UInt32(1), 7, 100, 65535][Int(input.next() & 3)]
  let client = oracle_client_new(table, window, 16384 + UInt32(input.next()))
  defer { oracle_client_free(client) }
  let count = 1 + UInt32(input.next() & 3)
  for _ in 0..<count where oracle_client_ask(client) < 0 { return "their client does not ask" }
  var session = HTTP2Session(limits: limits())
  var out = ByteBuffer()
  session.greet(into: &out)
  var answers: [UInt32: Answer] = [:]
  for _ in 0..<10_000 {
    guard let said = written({ oracle_client_say(client, &$0) }) else { return "their client gives up" }
    if let problem = hear(said, &session, &answers, &input, into: &out) { return problem }
    for id in answers.keys.sorted() where answers[id]?.left.isEmpty == false {
      answers[id]?.move(id, most: 1 + Int(input.next()), &session, into: &out)
    }
    let bytes = Array(out.bytes)
    out.removeAll()
    if said.isEmpty, bytes.isEmpty { break }
    if oracle_client_hear(client, bytes, bytes.count) != 0 {
      return "their client refuses \(Escapes.text(bytes))"
    }
  }
  for id in stride(from: UInt32(1), to: 2 * count, by: 2) {
    guard let text = oracle_client_answer(client, Int32(id))?.pointee else { continue }
    let theirs = Array(UnsafeMutableBufferPointer(start: text.bytes, count: text.count))
    if theirs != answers[id]?.expected { return difference("stream \(id)", answers[id]?.expected, theirs) }
  }
  return nil
}
