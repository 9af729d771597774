/// The server's side of an HTTP/2 connection (RFC 9113): frames go in, events and frames come out. It deals
/// in bytes only; owns no descriptor, and no answer.
///
/// - Call `greet` once, then `next` for each event; the connection's own messages go to its output
///   (acknowledgements, windows, resets of streams).
/// - `.request` requires `takeHead` or `drop` before the next call of `next`.
/// - `consumed` gives windows back; `move` takes frames of answers as far as windows allow, `moveTunnel` the
///   bytes of a tunnel.
/// - After an error the connection is over: `goAway` says so.
public struct HTTP2Session: ~Copyable {
  /// An event of the input.
  @frozen public enum Event: Equatable, Sendable {
    /// The bytes so far are the beginning of something valid.
    case needMore
    /// A request; `takeHead` gives its head.
    case request(id: UInt32, ends: Bool)
    /// Bytes of a body. They count against the stream's window until `consumed` reports that they were taken.
    case data(id: UInt32, ByteRange)
    /// The client has ended its side of this stream; `takeTrailers` gives the fields behind the body.
    case ended(id: UInt32)
    /// The stream is over, and its answer with it: an error has ended it, or the client has reset it (nil).
    case over(id: UInt32, HTTP2Error?)
    /// A stream may send more; 0 for all of them.
    case window(id: UInt32)
    /// The client leaves when its streams are over.
    case goAway
  }

  /// The part of the input that is being read.
  enum Reading {
    /// The preface, of which this many bytes have come.
    case preface(Int)
    /// The first frame, which has to be SETTINGS.
    case settings
    /// The header of a frame comes next.
    case frames
    /// A payload of DATA.
    case data(DataFrame)
    /// Unwanted bytes.
    case ignored(Int)
  }

  /// The rest of a DATA frame.
  struct DataFrame {
    var id: UInt32
    var left: Int
    var padding: Int
    var ends: Bool
  }

  /// What the client has announced about itself.
  struct Peer {
    var window = HTTP2Grammar.window
    /// SETTINGS_MAX_FRAME_SIZE.
    var frameBytes = HTTP2Grammar.frameBytes
    /// SETTINGS_HEADER_TABLE_SIZE.
    var tableBytes = HTTP2Grammar.tableBytes
  }

  let limits: HTTP2Limits
  var reading = Reading.preface(0)
  var streams: HTTP2Streams
  var decoder = HPACKDecoder()
  /// The field block that is coming, or has come.
  var block = ByteBuffer()
  /// Its stream, 0 if there is none; whether it ends that stream; and its CONTINUATION frames.
  var blockID: UInt32 = 0
  var blockEnds = false
  var continuations = 0
  /// It says that its stream depends on itself (RFC 7540 §5.3.1).
  var isSelfDependent = false
  /// The block is complete, but its head was not taken.
  var isHeadWaiting = false
  /// The last priority that came before its stream (RFC 9218 §7.1).
  var announcedPriority: (id: UInt32, HTTP2Priority)?
  /// The trailers that came last, and their stream; 0 once they were taken.
  var trailers = ByteBuffer()
  var trailersID: UInt32 = 0
  /// A place for the heads of unwanted requests, and for trailers.
  var unwanted: RequestHead
  var peer = Peer()
  /// The highest stream number that has come.
  public internal(set) var lastID: UInt32 = 0
  /// Streams above it are no longer served.
  var servedID = UInt32.max
  /// The stream whose head has left in part only, 0 for none; whether it ends the stream.
  var movingHead: UInt32 = 0
  var movingHeadEnds = false
  /// The client has made its table smaller: the next head says that this side follows (§4.3.1).
  var owesTableSize = false
  var sendWindow = HTTP2Grammar.window
  var receiveWindow: Int
  /// The same when nothing has come that was not given back: the size of the connection's window.
  var connectionWindow: Int
  /// Bytes that have come, for which the client has not been given window again.
  var unsaid = 0
  /// Bytes of DATA that have come, with their padding.
  var received: Int64 = 0
  /// The same when the measurement began that is under way; -1 if none is.
  var measuredFrom: Int64 = -1
  /// Answers to frames that may still wait: those that end before `repliesEnd`, and those after it.
  var replies = (older: 0, newer: 0)
  /// A position in all bytes written: when the bytes before it have left, so have the older answers.
  var repliesEnd: Int64 = 0
  var resets: HTTP2Budget
  var idleFrames: HTTP2Budget
  /// Bytes of answers that have moved and not yet paid for a frame.
  var contentUnpaid = 0
  /// Bytes of answers that have moved: of heads and bodies, but not of frame headers, which take nine bytes
  /// for each byte if a client opens windows of one byte.
  public internal(set) var contentMoved: Int64 = 0

  public init(limits: HTTP2Limits) {
    self.limits = limits
    streams = HTTP2Streams(capacity: limits.streams)
    (receiveWindow, connectionWindow) = (limits.connectionWindow, limits.connectionWindow)
    resets = HTTP2Budget(limits.resets)
    idleFrames = HTTP2Budget(limits.idleFrames)
    unwanted = RequestHead(capacity: 1)
  }

  /// Streams that are open.
  public var count: Int { streams.count }
  /// The client has greeted.
  public var isGreeted: Bool {
    switch reading {
    case .preface, .settings: false
    case .frames, .data, .ignored: true
    }
  }
  /// A frame or a field block has come in part only.
  public var isMidway: Bool {
    switch reading {
    case .frames: blockID != 0
    case .preface, .settings, .data, .ignored: true
    }
  }

  /// Writes what a server sends first (§3.4).
  public func greet(into out: inout ByteBuffer) {
    let settings: [(UInt16, Int)] = [
      (HTTP2Setting.maxConcurrentStreams, limits.streams),
      (HTTP2Setting.initialWindowSize, limits.streamWindow),
      (HTTP2Setting.maxHeaderListSize, limits.head.headBytes),
      (HTTP2Setting.enableConnectProtocol, 1),
      (HTTP2Setting.noRFC7540Priorities, 1),
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

  /// Takes the current time in seconds, and refills the budgets of what may happen only so often.
  public mutating func refill(at seconds: UInt64) {
    resets.refill(at: seconds)
    idleFrames.refill(at: seconds)
  }

  /// This many of the bytes written have left, out of all since the connection began. Answers to frames among
  /// them have been taken, even if a long answer always follows them.
  public mutating func outputLeft(_ left: Int64, of written: Int64) {
    guard left >= repliesEnd else { return }
    replies = left == written ? (0, 0) : (replies.newer, 0)
    repliesEnd = written
  }

  // MARK: Reading

  /// Reads on in `bytes` from `offset`, which it moves past the consumed bytes.
  ///
  /// - Throws: the error that ends the connection.
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

  /// Acts on a frame whose header is there; returns nil to go on, after moving `offset` or `reading`.
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
      guard idleFrames.take() else { throw .flood(.idleFrames) }
      return .goAway
    case HTTP2Type.windowUpdate: return try windowUpdate(frame, payload, &out)
    case HTTP2Type.priorityUpdate: return try priorityUpdate(frame, payload)
    default: throw .pushed
    }
  }

  // MARK: Errors of streams

  /// A stream ends because of the client's error: tells the client, and the host if it has the stream.
  mutating func fail(
    _ id: UInt32, _ error: HTTP2Error, _ out: inout ByteBuffer
  ) throws(HTTP2Error) -> Event? {
    guard resets.take() else { throw .flood(.resets) }
    write(reset: id, error.code, &out)
    guard let place = streams.find(id) else {
      streams.note(id, .resetHere)
      return nil
    }
    streams[place].next(.reset)
    streams.remove(place, .resetHere)
    return .over(id: id, error)
  }

  func write(reset id: UInt32, _ code: HTTP2Code, _ out: inout ByteBuffer) {
    HTTP2Frame.write(HTTP2Type.reset, id: id, code.rawValue, into: &out)
  }

  // MARK: Calls of the host

  /// Ends an open stream from this side: its answer will not come, or the rest of its request is not wanted
  /// (`.none`, §8.1). Does nothing if the stream is over.
  public mutating func reset(_ id: UInt32, _ code: HTTP2Code, into out: inout ByteBuffer) {
    guard let place = streams.find(id) else { return }
    write(reset: id, code, &out)
    streams[place].next(.reset)
    streams.remove(place, .resetHere)
  }

  /// Turns away a request for which this side has no room; its client may repeat it at once (§8.7). It is not
  /// to blame: this does not count against its resets.
  ///
  /// - Throws: `.flood(.replies)` when too many such answers wait for the client.
  public mutating func turnAway(_ id: UInt32, into out: inout ByteBuffer) throws(HTTP2Error) {
    try reply()
    reset(id, .refusedStream, into: &out)
  }

  /// Refuses a faulty request without an answer. Throws if there were too many.
  public mutating func refuse(_ id: UInt32, _ error: HTTP2Error, into out: inout ByteBuffer)
    throws(HTTP2Error)
  {
    _ = try fail(id, error, &out)
  }

  /// The exchange of a stream is over. If the stream is not, an incomplete answer is cut, a tunnel breaks
  /// (RFC 8441 §5), and the rest of a request that was answered early is not wanted (§8.1).
  public mutating func abandon(_ id: UInt32, into out: inout ByteBuffer) {
    guard let place = streams.find(id) else { return }
    let broken: HTTP2Code = streams[place].isTunnel ? .cancel : .internalError
    reset(id, streams[place].state == .halfClosedLocal ? .none : broken, into: &out)
  }

  /// Nobody has begun this stream (§5.1): it is above all that came, or even, and this side begins none.
  func isIdle(_ id: UInt32) -> Bool { id > lastID || id & 1 == 0 }

  /// Whether the stream is open.
  public func has(_ id: UInt32) -> Bool { streams.find(id) != nil }

  /// Announces that streams above `id` are not served: clients may begin them again elsewhere (§6.8).
  public mutating func goAway(_ id: UInt32, _ code: HTTP2Code, into out: inout ByteBuffer) {
    HTTP2Frame(HTTP2Type.goAway, length: 8).write(into: &out)
    out.append(number: id)
    out.append(number: code.rawValue)
    servedID = id
  }

  /// The number in GOAWAY before the last stream is known.
  public static let anyID = UInt32(HTTP2Grammar.windowAtMost)
}
