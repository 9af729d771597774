// What a reader makes of a message, as lines of text; the same however the message arrives.
import Wire

/// The events that a reader gave for a message.
public struct Transcript: Equatable, Sendable {
  /// The events, as in a fixture's NAME.expect.
  public private(set) var lines: [String] = []
  /// Position in the message after each complete request.
  public private(set) var ends: [Int] = []
  /// Bytes of the message that were used up.
  public private(set) var consumed = 0
  /// What the reader must never do, whatever it is given; empty if all is well.
  public private(set) var breaches: [String] = []

  private var body: [UInt8] = []

  /// How bytes come to the reader.
  public struct Delivery: Sendable {
    /// Sizes of the pieces; what is left after the last one comes as one more.
    public var pieces: [Int] = []
    /// Used-up bytes leave the buffer before more come, instead of staying in front.
    public var slides = false
    /// Nothing is read after so many complete requests.
    public var requests = Int.max

    public init(pieces: [Int] = [], slides: Bool = false, requests: Int = .max) {
      self.pieces = pieces
      self.slides = slides
      self.requests = requests
    }
  }

  /// Feeds `input` to a new reader.
  public init<Codec: RequestCodec>(
    _ codec: Codec.Type, _ input: [UInt8], _ delivery: Delivery = Delivery(),
    limits: HeadLimits = .fixtures, memory: GuardedMemory? = nil
  ) {
    let memory = memory ?? GuardedMemory(capacity: input.count)
    read(Codec(limits: limits), input, delivery, RequestHead(capacity: limits.fields), memory)
  }

  private mutating func read<Codec: RequestCodec>(
    _ reader: consuming Codec, _ input: [UInt8], _ delivery: Delivery, _ head: consuming RequestHead,
    _ memory: GuardedMemory
  ) {
    var pieces = delivery.pieces[...]
    var (dropped, given, offset) = (0, 0, 0)
    var isOpen = false
    defer { consumed = dropped + offset }
    repeat {
      given = min(input.count, given + (pieces.popFirst() ?? input.count))
      let window = memory.place(input[dropped..<given])
      while ends.count < delivery.requests, isOpen || dropped + offset < given {
        guard let event = step(&reader, window, &offset, &head) else { return }
        if event == .needMore { break }
        if event == .head { isOpen = true }
        if event == .end || event == .abort { isOpen = false }
        guard event == .end else { continue }
        ends.append(dropped + offset)
        reader.reset()
        if !Codec.carriesManyRequests { return rest(input[(dropped + offset)...]) }
      }
      if delivery.slides { (dropped, offset) = (dropped + offset, 0) }
    } while given < input.count && ends.count < delivery.requests
    flushBody()
    if isOpen || dropped + offset < input.count, ends.count < delivery.requests { lines.append("incomplete") }
  }

  /// Takes one event from the reader and writes it down; nil when nothing can come any more.
  private mutating func step<Codec: RequestCodec>(
    _ reader: inout Codec, _ window: UnsafeMutableRawBufferPointer, _ offset: inout Int,
    _ head: inout RequestHead
  ) -> ReadEvent? {
    let before = offset
    do throws(Codec.Failure) {
      let event = try reader.next(UnsafeRawBufferPointer(window).bytes, &offset, &head)
      check(event, before, offset, window.count)
      note(event, head, window)
      return breaches.isEmpty ? event : nil
    } catch {
      flushBody()
      lines.append("error \(error.status) \(caseName(error))")
      return nil
    }
  }

  /// The request is complete and the connection carries no other: the other bytes are nobody's.
  private mutating func rest(_ bytes: ArraySlice<UInt8>) {
    if !bytes.isEmpty { lines.append("rest \"\(Escapes.text(bytes))\"") }
  }

  private mutating func check(_ event: ReadEvent, _ before: Int, _ after: Int, _ count: Int) {
    if after < before || after > count {
      breaches.append("offset went from \(before) to \(after) of \(count)")
    }
    switch event {
    case .body(let range):
      if range.isEmpty { breaches.append("body event without bytes at \(before)") }
      if Int(range.start) < before || range.end > after {
        breaches.append("body \(range.start)..<\(range.end) outside of \(before)..<\(after), used up")
      }
    case .trailer(let range):
      if Int(range.start) < before || range.end + 2 > after {
        breaches.append("trailer \(range.start)..<\(range.end) outside of \(before)..<\(after), used up")
      }
    case .answer: if after == before { breaches.append("answer to nothing at \(before)") }
    default: break
    }
  }

  private mutating func note(
    _ event: ReadEvent, _ head: borrowing RequestHead, _ window: UnsafeMutableRawBufferPointer
  ) {
    if case .body(let range) = event, breaches.isEmpty { body += window[Int(range.start)..<range.end] }
    switch event {
    case .body, .needMore: return
    default: flushBody()
    }
    switch event {
    case .head:
      if let base = window.baseAddress { lines += describe(head, UnsafeRawPointer(head.base(base))) }
    case .abort: lines.append("abort")
    case .answer(let answer): lines.append("answer \(answer)")
    case .end: lines.append("end")
    case .trailer(let range):
      if breaches.isEmpty { lines.append("trailer \(Escapes.text(window[Int(range.start)..<range.end]))") }
    case .body, .needMore: break
    }
  }

  private mutating func flushBody() {
    if !body.isEmpty { lines.append("body \"\(Escapes.text(body))\"") }
    body = []
  }
}

/// A request head as the lines of an expectation.
private func describe(_ head: borrowing RequestHead, _ base: UnsafeRawPointer) -> [String] {
  func text(_ range: ByteRange) -> String { Escapes.text(range.bytes(in: base)) }
  var words: [String]
  var lines: [String] = []
  switch head.form {
  case .fields:
    words = [
      text(head.method.range), text(head.target.range), "HTTP/1.\(head.minorVersion)", name(head.framing),
    ]
    words.append(head.persists ? "persists" : "closes")
    if head.expectsContinue { words.append("continue") }
    if head.path != head.target { lines.append("path \(text(head.path.range))") }
    if !head.authority.isEmpty { lines.append("authority \(text(head.authority))") }
  case .variables:
    words = ["variables", name(head.framing)]
    if head.persists { words.append("persists") }
    if head.isAuthorizer { words.append("authorizer") }
    if head.hasWholePath { words.append("whole-path") }
    if head.mayHaveChunks { words.append("may-have-chunks") }
  }
  for position in 0..<head.count {
    let field = head[position]
    lines.append(
      head.form == .fields
        ? "field \(text(field.name)): \(text(field.value.range))"
        : "variable \(text(field.name))=\(text(field.value.range))")
  }
  return ["head " + words.joined(separator: " ")] + lines
}

private func name(_ framing: BodyFraming) -> String {
  switch framing {
  case .none: "none"
  case .length(let count): "length=\(count)"
  case .chunked: "chunked"
  case .stream(nil): "stream"
  case .stream(let announced?): "stream=\(announced)"
  }
}

/// The runtime's own name of an enum case, which `description` hides.
@_silgen_name("swift_EnumCaseName")
private func runtimeCaseName<Value>(_ value: Value) -> UnsafePointer<CChar>?

/// The name of the case that `value` is.
func caseName(_ value: some Error) -> String { runtimeCaseName(value).map { String(cString: $0) } ?? "?" }
