/// One connection of HTTP/2 (RFC 9113), the server's side: frames in, events and frames out. Bytes in, bytes
/// out; owns no descriptor, and no answer.
///
/// - Call `greet` once, then `next` for each event; what the connection itself has to say goes to its output
///   (acknowledgements, windows, resets of streams).
/// - `.request` wants `takeHead` or `drop` before the next call of `next`.
/// - `consumed` gives windows back, `move` takes frames of answers as far as windows let them.
/// - After an error the connection is over: `goAway` says so.
public struct HTTP2Session: ~Copyable {
  /// What has come.
  @frozen public enum Event: Equatable, Sendable {
    /// The bytes so far are the beginning of something valid.
    case needMore
    /// A request; `takeHead` gives its head.
    case request(id: UInt32, ends: Bool)
    /// Bytes of a body. They count as taken by nobody until `consumed` says so.
    case data(id: UInt32, ByteRange)
    /// The client has said all on this stream.
    case ended(id: UInt32)
    /// The stream is over, and with it its answer: the client has reset it, or an error of its own has (nil).
    case over(id: UInt32, HTTP2Error?)
    /// A stream may send more; 0 for all of them.
    case window(id: UInt32)
    /// The client leaves when its streams are over.
    case goAway
  }

  /// What of the bytes is under way.
  enum Reading {
    /// The preface, of which so many bytes have come.
    case preface(Int)
    /// The first frame, which has to be SETTINGS.
    case settings
    /// The header of a frame comes next.
    case frames
    /// A payload of DATA.
    case data(DataFrame)
    /// Bytes that nobody wants.
    case ignored(Int)
  }

  /// What is still to come of a DATA frame.
  struct DataFrame {
    var id: UInt32
    var left: Int
    var padding: Int
    var ends: Bool
  }

  /// What the client has said of itself.
  struct Peer {
    var window = HTTP2Grammar.window
    /// SETTINGS_MAX_FRAME_SIZE.
    var frameBytes = HTTP2Grammar.frameBytes
  }

  let limits: HTTP2Limits
  var reading = Reading.preface(0)
  var streams: HTTP2Streams
  var decoder = HPACKDecoder()
  /// The field block that is coming, or has come.
  var block = ByteBuffer()
  /// Its stream, 0 without one; whether it ends that one; and CONTINUATION frames of it.
  var blockID: UInt32 = 0
  var blockEnds = false
  var continuations = 0
  /// It says that its stream depends on itself (RFC 7540 §5.3.1).
  var isSelfDependent = false
  /// The block is complete, and its head was not taken.
  var isHeadWaiting = false
  /// Priorities that came before their streams (RFC 9218 §7.1): of the last one.
  var announcedPriority: (id: UInt32, HTTP2Priority)?
  /// Where the heads of requests go that nobody wants.
  var unwanted: RequestHead
  var peer = Peer()
  /// The highest stream that has come.
  public internal(set) var lastID: UInt32 = 0
  /// Streams above are not served any more.
  var servedID = UInt32.max
  var sendWindow = HTTP2Grammar.window
  var receiveWindow: Int
  var unsaid = 0
  /// Answers to frames since the output was last empty.
  var replies = 0
  var resets: HTTP2Budget
  var idleFrames: HTTP2Budget

  public init(limits: HTTP2Limits) {
    self.limits = limits
    streams = HTTP2Streams(capacity: limits.streams)
    receiveWindow = limits.connectionWindow
    resets = HTTP2Budget(limits.resets)
    idleFrames = HTTP2Budget(limits.idleFrames)
    unwanted = RequestHead(capacity: 1)
  }

  /// Streams that are under way.
  public var count: Int { streams.count }
  /// The client has greeted.
  public var isGreeted: Bool {
    switch reading {
    case .preface, .settings: false
    case .frames, .data, .ignored: true
    }
  }
  /// Half of a frame or a field block is there.
  public var isMidway: Bool {
    switch reading {
    case .frames: blockID != 0
    case .preface, .settings, .data, .ignored: true
    }
  }

  /// What a server says first (§3.4).
  public func greet(into out: inout ByteBuffer) {
    let settings: [(UInt16, Int)] = [
      (HTTP2Setting.maxConcurrentStreams, limits.streams),
      (HTTP2Setting.initialWindowSize, limits.streamWindow),
      (HTTP2Setting.maxHeaderListSize, limits.head.headBytes),
    ]
    let length = settings.count * HTTP2Grammar.settingBytes
    HTTP2Frame(HTTP2Type.settings, length: length).write(into: &out)
    for (name, value) in settings {
      out.append(UInt8(name >> 8))
      out.append(UInt8(name & 0xff))
      out.append(number: UInt32(value))
    }
    let more = limits.connectionWindow - HTTP2Grammar.window
    if more > 0 { HTTP2Frame.write(HTTP2Type.windowUpdate, id: 0, UInt32(more), into: &out) }
  }

  /// It is so late now, in seconds: what may happen only so often may happen again.
  public mutating func refill(at seconds: UInt64) {
    resets.refill(at: seconds)
    idleFrames.refill(at: seconds)
  }

  /// All that was to be sent has left.
  public mutating func outputLeft() { replies = 0 }

  // MARK: Reading

  /// Reads on in `bytes` from `offset`, which it moves over what it has used up.
  ///
  /// - Throws: what ends the connection.
  public mutating func next(
    _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, into out: inout ByteBuffer
  ) throws(HTTP2Error) -> Event {
    precondition(!isHeadWaiting, "a head was not taken")
    while true {
      switch reading {
      case .preface(let count): guard try readPreface(count, bytes, &offset) else { return .needMore }
      case .settings, .frames:
        guard let frame = try header(bytes, offset) else { return .needMore }
        guard let event = try take(frame, bytes, &offset, &out) else { continue }
        return event
      case .data(let frame):
        guard let event = try readData(frame, bytes, &offset, &out) else { continue }
        return event
      case .ignored(let left):
        let count = min(left, bytes.count - offset)
        offset += count
        reading = count == left ? .frames : .ignored(left - count)
        if count < left { return .needMore }
      }
    }
  }

  /// The fixed bytes at the beginning; true when they are complete.
  private mutating func readPreface(
    _ count: Int, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(HTTP2Error) -> Bool {
    let preface = HTTP2Grammar.preface
    var count = count
    while count < preface.utf8CodeUnitCount, offset < bytes.count {
      guard bytes[offset] == preface.utf8Start[count] else { throw .prefaceMalformed }
      (count, offset) = (count + 1, offset + 1)
    }
    reading = count == preface.utf8CodeUnitCount ? .settings : .preface(count)
    return count == preface.utf8CodeUnitCount
  }

  /// The header at `offset`, nil while it is incomplete.
  @inline(__always)
  private func header(_ bytes: UnsafeRawBufferPointer, _ offset: Int) throws(HTTP2Error) -> HTTP2Frame? {
    guard bytes.count - offset >= HTTP2Grammar.headerBytes else { return nil }
    let frame = HTTP2Frame(bytes.baseAddress! + offset)
    guard frame.length <= HTTP2Grammar.frameBytes else { throw .frameSize }
    if case .settings = reading, frame.type != HTTP2Type.settings || frame.has(HTTP2Flags.ack) {
      throw .settingsMissing
    }
    if blockID != 0, frame.type != HTTP2Type.continuation || frame.id != blockID { throw .blockInterrupted }
    return frame
  }

  /// Acts on a frame whose header is there; nil to go on, `offset` or `reading` having moved.
  private mutating func take(
    _ frame: HTTP2Frame, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, _ out: inout ByteBuffer
  ) throws(HTTP2Error) -> Event? {
    if frame.type == HTTP2Type.data {
      let event = try begin(frame, bytes, &offset, &out)
      return event
    }
    let start = offset + HTTP2Grammar.headerBytes
    guard frame.type <= HTTP2Type.continuation || frame.type == HTTP2Type.priorityUpdate else {
      guard idleFrames.take() else { throw .flood(.idleFrames) }
      offset = start
      reading = .ignored(frame.length)
      return nil
    }
    guard bytes.count - start >= frame.length else { return .needMore }
    let payload = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + frame.length)])
    offset = start + frame.length
    switch frame.type {
    case HTTP2Type.headers: return try headers(frame, payload, &out)
    case HTTP2Type.continuation: return try continuation(frame, payload, &out)
    case HTTP2Type.priority: return try priority(frame, payload, &out)
    case HTTP2Type.reset: return try reset(frame, payload)
    case HTTP2Type.settings: return try settings(frame, payload, &out)
    case HTTP2Type.ping: return try ping(frame, payload, &out)
    case HTTP2Type.goAway:
      guard frame.id == 0 else { throw .streamNumber }
      guard frame.length >= 8 else { throw .frameSize }
      return .goAway
    case HTTP2Type.windowUpdate: return try windowUpdate(frame, payload, &out)
    case HTTP2Type.priorityUpdate: return try priorityUpdate(frame, payload)
    default: throw .pushed
    }
  }

  // MARK: Errors of streams

  /// A stream is over by the client's fault: it is told, and the host when it has it.
  mutating func fail(
    _ id: UInt32, _ error: HTTP2Error, _ out: inout ByteBuffer
  ) throws(HTTP2Error) -> Event? {
    guard resets.take() else { throw .flood(.resets) }
    write(reset: id, error.code, &out)
    guard let place = streams.find(id) else {
      streams.note(id, .resetHere)
      return nil
    }
    release(streams[place].held, &out)
    streams[place].next(.reset)
    streams.remove(place, .resetHere)
    return .over(id: id, error)
  }

  func write(reset id: UInt32, _ code: HTTP2Code, _ out: inout ByteBuffer) {
    HTTP2Frame.write(HTTP2Type.reset, id: id, code.rawValue, into: &out)
  }

  // MARK: What the host says

  /// This server ends a stream that is not over: its answer will not come, or what still comes of its request
  /// is not wanted (`.none`, §8.1). Nothing for one that is.
  public mutating func reset(_ id: UInt32, _ code: HTTP2Code, into out: inout ByteBuffer) {
    guard let place = streams.find(id) else { return }
    write(reset: id, code, &out)
    release(streams[place].held, &out)
    streams[place].next(.reset)
    streams.remove(place, .resetHere)
  }

  /// A request that is refused without an answer. Throws when there were too many of them.
  public mutating func refuse(_ id: UInt32, _ error: HTTP2Error, into out: inout ByteBuffer)
    throws(HTTP2Error)
  {
    _ = try fail(id, error, &out)
  }

  /// The exchange of a stream is over. Where the stream is not: an answer that was not sent whole is cut, and
  /// of a request that was answered early the rest is not wanted (§8.1).
  public mutating func abandon(_ id: UInt32, into out: inout ByteBuffer) {
    guard let place = streams.find(id) else { return }
    reset(id, streams[place].state == .halfClosedLocal ? .none : .internalError, into: &out)
  }

  /// Whether the stream is under way.
  public func has(_ id: UInt32) -> Bool { streams.find(id) != nil }

  /// Streams above `id` are not served: clients may begin them anew elsewhere (§6.8).
  public mutating func goAway(_ id: UInt32, _ code: HTTP2Code, into out: inout ByteBuffer) {
    HTTP2Frame(HTTP2Type.goAway, length: 8).write(into: &out)
    out.append(number: id)
    out.append(number: code.rawValue)
    servedID = id
  }

  /// What GOAWAY says before it is known which stream is the last one.
  public static let anyID = UInt32(HTTP2Grammar.windowAtMost)
}
