/// Bodies and flow control (RFC 9113 §5.2, §6.1, §6.9): input counts against the windows of this side, output
/// against the client's.
///
/// The connection's window is given back as DATA comes, whether anybody takes it or not: otherwise a few
/// streams whose applications do not read would hold up the uploads of all others. So only the windows of
/// streams bound what waits here (`HTTP2Limits.streamWindow`); these are given back as bodies are taken. Both
/// grow (`HTTP2Windows.swift`).
extension HTTP2Session {
  // MARK: Input

  /// DATA (§6.1): its header, and the length of its padding.
  mutating func begin(
    _ frame: HTTP2Frame, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, _ out: inout ByteBuffer
  ) throws(HTTP2Error) -> Event? {
    guard frame.id != 0 else { throw .streamNumber }
    guard !isIdle(frame.id) else { throw .streamIdle }
    var data = DataFrame(
      id: frame.id, left: frame.length, padding: 0, ends: frame.has(HTTP2Flags.endStream))
    var used = HTTP2Grammar.headerBytes
    if frame.has(HTTP2Flags.padded) {
      guard frame.length > 0 else { throw .frameSize }
      guard bytes.count - offset > used else { return .needMore }
      data.padding = Int(bytes[offset + used])
      guard data.padding < frame.length else { throw .paddingTooLong }
      data.left -= 1 + data.padding
      used += 1
    }
    if data.left == 0, !data.ends, !idleFrames.take() { throw .flood(.idleFrames) }
    guard frame.length <= receiveWindow else { throw .windowOfConnection }
    receiveWindow -= frame.length
    self.received += Int64(frame.length)
    release(frame.length, &out)
    offset += used
    reading = .data(data)
    guard let place = streams.find(frame.id) else {
      reading = .ignored(data.left + data.padding)
      if streams.ending(frame.id) == .resetHere {
        // Much of it may still be in transit: long frames pay for themselves.
        guard data.left >= limits.bytesForFrame || idleFrames.take() else { throw .flood(.idleFrames) }
        return nil
      }
      return try fail(frame.id, .halfClosed, &out)
    }
    guard streams[place].state.receives else {
      reading = .ignored(data.left + data.padding)
      return try fail(frame.id, .halfClosed, &out)
    }
    guard frame.length <= streams[place].receiveWindow else {
      reading = .ignored(data.left + data.padding)
      return try fail(frame.id, .windowOfStream, &out)
    }
    streams[place].receiveWindow -= frame.length
    streams[place].held += frame.length
    // Nobody takes padding.
    consumed(frame.id, frame.length - data.left, into: &out)
    streams[place].received += Int64(data.left)
    let (announced, received) = (streams[place].announced, streams[place].received)
    guard announced < 0 || received <= announced else {
      reading = .ignored(data.left + data.padding)
      return try fail(frame.id, .lengthMalformed, &out)
    }
    return nil
  }

  /// The payload of DATA, as it comes.
  mutating func readData(
    _ frame: DataFrame, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, _ out: inout ByteBuffer
  ) throws(HTTP2Error) -> Event? {
    var frame = frame
    if frame.left > 0 {
      let count = min(frame.left, bytes.count - offset)
      guard count > 0 else { return .needMore }
      let range = ByteRange(offset, count)
      offset += count
      frame.left -= count
      reading = .data(frame)
      // It may have been reset meanwhile.
      return streams.find(frame.id) == nil ? nil : .data(id: frame.id, range)
    }
    reading = frame.padding > 0 ? .ignored(frame.padding) : .frames
    guard frame.ends, streams.find(frame.id) != nil else { return nil }
    return try requestEnded(frame.id, &out)
  }

  /// The client has ended its request: the length has to be the announced one (§8.1.1).
  mutating func requestEnded(_ id: UInt32, _ out: inout ByteBuffer) throws(HTTP2Error) -> Event? {
    guard let place = streams.find(id) else { return nil }
    let (announced, received) = (streams[place].announced, streams[place].received)
    guard announced < 0 || announced == received else { return try fail(id, .lengthMalformed, &out) }
    streams[place].next(.requestEnded)
    if streams[place].state == .closed { streams.remove(place, .complete) }
    return .ended(id: id)
  }

  /// This many bytes of a stream's body were taken: the client may send as many more on it, and is told so
  /// when that is worth a frame.
  public mutating func consumed(_ id: UInt32, _ count: Int, into out: inout ByteBuffer) {
    guard count > 0 else { return }
    guard let place = streams.find(id) else { return }
    let count = min(count, streams[place].held)
    streams[place].held -= count
    guard streams[place].state.receives else { return }
    streams[place].unsaid += count
    let unsaid = streams[place].unsaid
    guard unsaid >= streams[place].window / 2 else { return }
    streams[place].unsaid = 0
    streams[place].receiveWindow += unsaid
    HTTP2Frame.write(HTTP2Type.windowUpdate, id: id, UInt32(unsaid), into: &out)
    measure(for: place, into: &out)
  }

  /// This many bytes have come on the connection: as many more may come.
  private mutating func release(_ count: Int, _ out: inout ByteBuffer) {
    unsaid += count
    guard unsaid >= connectionWindow / 4 else { return }
    receiveWindow += unsaid
    HTTP2Frame.write(HTTP2Type.windowUpdate, id: 0, UInt32(unsaid), into: &out)
    unsaid = 0
    measureConnection(into: &out)
  }

  // MARK: Output

  /// What happened to the frames of an answer.
  @frozen public enum Moved: Sendable {
    /// All of them have moved.
    case all
    /// More may move at once.
    case more
    /// A window is used up: `.window` reports when it has room again.
    case blocked
    /// The stream is over.
    case over
  }

  /// Moves whole frames of a stream's answer, as `HTTP2ResponseWriter` has written them, from its output to
  /// the connection's; DATA is cut to the windows. Nothing comes between the frames of a head (§6.10): once
  /// begun, it is moved to its end.
  ///
  /// - Parameter most: bytes after which others come first.
  public mutating func move(
    _ id: UInt32, _ from: inout ByteBuffer, most: Int, into out: inout ByteBuffer
  ) -> Moved {
    guard let place = streams.find(id) else {
      from.removeAll()
      return .over
    }
    var moved = 0
    while !from.isEmpty {
      guard moved < most || movingHead == id else { return .more }
      let frame = HTTP2Frame(from.base!)
      var count = frame.length
      if frame.type == HTTP2Type.data, count > 0 {
        let allowed = min(sendWindow, streams[place].sendWindow)
        guard allowed > 0 else { return .blocked }
        count = min(count, allowed)
        sendWindow -= count
        streams[place].sendWindow -= count
        pay(for: count, isWhole: count == frame.length)
      }
      contentMoved += Int64(count)
      streams[place].moved += count
      moved += HTTP2Grammar.headerBytes + count
      if frame.type == HTTP2Type.headers, owesTableSize {
        owesTableSize = false
        HTTP2Session.moveBehindTableSize(frame, from: &from, into: &out)
      } else {
        HTTP2Session.cut(frame, at: count, from: &from, into: &out)
      }
      if count == frame.length, endsAnswer(frame) {
        answerEnded(place)
        return .all
      }
    }
    return .all
  }

  /// Moves bytes of a tunnel (§8.5), which get their frames here, as far as windows allow. They come after
  /// the answer's head, which `move` has moved.
  ///
  /// - Parameter most: bytes after which others come first.
  public mutating func moveTunnel(
    _ id: UInt32, _ from: inout ByteBuffer, most: Int, into out: inout ByteBuffer
  ) -> Moved {
    guard let place = streams.find(id) else {
      from.removeAll()
      return .over
    }
    var moved = 0
    while !from.isEmpty {
      guard moved < most else { return .more }
      let allowed = min(sendWindow, streams[place].sendWindow)
      guard allowed > 0 else { return .blocked }
      let whole = min(from.count, HTTP2Grammar.frameBytes)
      let count = min(whole, allowed)
      sendWindow -= count
      streams[place].sendWindow -= count
      pay(for: count, isWhole: count == whole)
      contentMoved += Int64(count)
      streams[place].moved += count
      moved += HTTP2Grammar.headerBytes + count
      HTTP2Frame(HTTP2Type.data, id: id, length: count).write(into: &out)
      out.append(UnsafeRawBufferPointer(start: from.base, count: count))
      from.consume(count)
    }
    return .all
  }

  /// A client may answer what it gets: by WINDOW_UPDATE for stream and connection, and by PING to measure. A
  /// frame that leaves as it was written pays for two of these, however short: its application wanted it to
  /// leave. For one that a window cuts only the bytes count: the client has made it short.
  private mutating func pay(for count: Int, isWhole: Bool) {
    contentUnpaid += isWhole ? max(count, 2 * limits.bytesForFrame) : count
    idleFrames.grant(contentUnpaid / limits.bytesForFrame)
    contentUnpaid %= limits.bytesForFrame
  }

  /// Whether an answer is over with a frame that has moved whole: HEADERS says so for its last CONTINUATION.
  private mutating func endsAnswer(_ frame: HTTP2Frame) -> Bool {
    if frame.type == HTTP2Type.headers { movingHeadEnds = frame.has(HTTP2Flags.endStream) }
    guard frame.type == HTTP2Type.headers || frame.type == HTTP2Type.continuation else {
      return frame.has(HTTP2Flags.endStream)
    }
    movingHead = frame.has(HTTP2Flags.endHeaders) ? 0 : frame.id
    return movingHead == 0 && movingHeadEnds
  }

  /// Moves a frame, or the first `count` bytes of its payload, leaving the rest as a frame.
  private static func cut(
    _ frame: HTTP2Frame, at count: Int, from: inout ByteBuffer, into out: inout ByteBuffer
  ) {
    let header = HTTP2Grammar.headerBytes
    guard count < frame.length else {
      out.append(UnsafeRawBufferPointer(start: from.base, count: header + count))
      return from.consume(header + count)
    }
    HTTP2Frame(frame.type, id: frame.id, length: count).write(into: &out)
    out.append(UnsafeRawBufferPointer(start: from.base! + header, count: count))
    // The header of the rest takes the place of what has moved.
    from.consume(count)
    var rest = frame
    rest.length -= count
    rest.write(at: from.base!)
  }

  /// Moves a frame that begins a head, and in front of its fields what a client that has made its table
  /// smaller must find there (RFC 7541 §4.2): that this side uses none.
  private static func moveBehindTableSize(
    _ frame: HTTP2Frame, from: inout ByteBuffer, into out: inout ByteBuffer
  ) {
    let header = HTTP2Grammar.headerBytes
    let hasRoom = frame.length < HTTP2Grammar.frameBytes
    var first = frame
    first.length = 1 + (hasRoom ? frame.length : 0)
    if !hasRoom { first.flags &= ~HTTP2Flags.endHeaders }
    first.write(into: &out)
    out.append(HPACKEncoder.noTable)
    if !hasRoom {
      let flags = frame.flags & HTTP2Flags.endHeaders
      HTTP2Frame(HTTP2Type.continuation, flags: flags, id: frame.id, length: frame.length).write(into: &out)
    }
    out.append(UnsafeRawBufferPointer(start: from.base! + header, count: frame.length))
    from.consume(header + frame.length)
  }

  /// END_STREAM has left.
  private mutating func answerEnded(_ place: Int) {
    streams[place].next(.answerEnded)
    if streams[place].state == .closed { streams.remove(place, .complete) }
  }

  /// The client takes more on this stream, apart from the connection's window.
  public func hasWindow(_ id: UInt32) -> Bool { streams.find(id).map { streams[$0].sendWindow > 0 } ?? false }

  /// When a stream's turn is (RFC 9218 §10): the lower the urgency, the sooner. Of equal ones, those whose
  /// client has said that it wants them whole go one after another, up to `HTTP2Limits.wholeBytes`; all
  /// others share.
  public func rank(_ id: UInt32) -> (urgency: UInt8, isWhole: Bool) {
    guard let place = streams.find(id), let priority = streams[place].priority else {
      return (HTTP2Priority().urgency, false)
    }
    return (priority.urgency, !priority.isIncremental && streams[place].moved < limits.wholeBytes)
  }
}
