/// What each kind of frame means (RFC 9113 §6), except those of field blocks and of data.
extension HTTP2Session {
  /// RST_STREAM (§6.4).
  mutating func reset(_ frame: HTTP2Frame, _ payload: UnsafeRawBufferPointer) throws(HTTP2Error) -> Event? {
    guard frame.id != 0 else { throw .streamNumber }
    guard frame.length == 4 else { throw .frameSize }
    guard !isIdle(frame.id) else { throw .streamIdle }
    guard resets.take() else { throw .flood(.resets) }
    guard let place = streams.find(frame.id) else { return nil }
    streams[place].next(.reset)
    streams.remove(place, .resetThere)
    return .over(id: frame.id, nil)
  }

  /// SETTINGS (§6.5).
  mutating func settings(
    _ frame: HTTP2Frame, _ payload: UnsafeRawBufferPointer, _ out: inout ByteBuffer
  ) throws(HTTP2Error) -> Event? {
    guard frame.id == 0 else { throw .streamNumber }
    if frame.has(HTTP2Flags.ack) {
      guard frame.length == 0 else { throw .frameSize }
      guard idleFrames.take() else { throw .flood(.idleFrames) }
      return nil
    }
    guard frame.length % HTTP2Grammar.settingBytes == 0 else { throw .frameSize }
    guard frame.length / HTTP2Grammar.settingBytes <= limits.settings else { throw .flood(.settings) }
    let isFirst = !isGreeted
    guard isFirst || idleFrames.take() else { throw .flood(.idleFrames) }
    let before = peer.window
    var position = 0
    while position < payload.count {
      let name = UInt16(payload[position]) << 8 | UInt16(payload[position + 1])
      try set(name, Int(HTTP2Session.number(payload, position + 2)))
      position += HTTP2Grammar.settingBytes
    }
    reading = .frames
    try reply()
    HTTP2Frame(HTTP2Type.settings, flags: HTTP2Flags.ack, length: 0).write(into: &out)
    guard peer.window != before else { return nil }
    for place in 0..<streams.count {
      streams[place].sendWindow += peer.window - before
      guard streams[place].sendWindow <= HTTP2Grammar.windowAtMost else { throw .settingWindow }
    }
    return peer.window > before ? .window(id: 0) : nil
  }

  private mutating func set(_ name: UInt16, _ value: Int) throws(HTTP2Error) {
    switch name {
    case HTTP2Setting.headerTableSize:
      if value < peer.tableBytes { owesTableSize = true }
      peer.tableBytes = value
    case HTTP2Setting.enablePush, HTTP2Setting.enableConnectProtocol, HTTP2Setting.noRFC7540Priorities:
      guard value <= 1 else { throw .settingMalformed }
    case HTTP2Setting.initialWindowSize:
      guard value <= HTTP2Grammar.windowAtMost else { throw .settingWindow }
      peer.window = value
    case HTTP2Setting.maxFrameSize:
      guard HTTP2Grammar.frameBytes...HTTP2Grammar.frameBytesAtMost ~= value else { throw .settingMalformed }
      peer.frameBytes = value
    default: break
    }
  }

  /// PING (§6.7).
  mutating func ping(
    _ frame: HTTP2Frame, _ payload: UnsafeRawBufferPointer, _ out: inout ByteBuffer
  ) throws(HTTP2Error) -> Event? {
    guard frame.id == 0 else { throw .streamNumber }
    guard frame.length == 8 else { throw .frameSize }
    // One that was asked for brings something.
    if frame.has(HTTP2Flags.ack), endMeasurement(payload, into: &out) { return nil }
    guard idleFrames.take() else { throw .flood(.idleFrames) }
    if frame.has(HTTP2Flags.ack) { return nil }
    try reply()
    HTTP2Frame(HTTP2Type.ping, flags: HTTP2Flags.ack, length: 8).write(into: &out)
    out.append(payload)
    return nil
  }

  /// WINDOW_UPDATE (§6.9).
  mutating func windowUpdate(
    _ frame: HTTP2Frame, _ payload: UnsafeRawBufferPointer, _ out: inout ByteBuffer
  ) throws(HTTP2Error) -> Event? {
    guard frame.length == 4 else { throw .frameSize }
    guard idleFrames.take() else { throw .flood(.idleFrames) }
    let more = Int(HTTP2Session.number(payload, 0) & 0x7fff_ffff)
    if frame.id == 0 {
      guard more > 0 else { throw .windowEmpty }
      sendWindow += more
      guard sendWindow <= HTTP2Grammar.windowAtMost else { throw .windowOfConnection }
      return .window(id: 0)
    }
    guard !isIdle(frame.id) else { throw .streamIdle }
    guard let place = streams.find(frame.id) else { return nil }
    guard more > 0 else { return try fail(frame.id, .windowEmptyOfStream, &out) }
    streams[place].sendWindow += more
    guard streams[place].sendWindow <= HTTP2Grammar.windowAtMost else {
      return try fail(frame.id, .windowOfStream, &out)
    }
    return .window(id: frame.id)
  }

  /// PRIORITY (§6.3): its content is obsolete.
  mutating func priority(
    _ frame: HTTP2Frame, _ payload: UnsafeRawBufferPointer, _ out: inout ByteBuffer
  ) throws(HTTP2Error) -> Event? {
    guard frame.id != 0 else { throw .streamNumber }
    guard idleFrames.take() else { throw .flood(.idleFrames) }
    guard frame.length == 5 else {
      guard !isIdle(frame.id) else { throw .frameSize }
      return try fail(frame.id, .frameSize, &out)
    }
    guard HTTP2Session.number(payload, 0) & 0x7fff_ffff != frame.id else {
      // RST_STREAM may not be sent for a stream that was not begun.
      guard !isIdle(frame.id) else { throw .dependsOnItself }
      return try fail(frame.id, .dependsOnItself, &out)
    }
    return nil
  }

  /// PRIORITY_UPDATE (RFC 9218 §7.1).
  mutating func priorityUpdate(
    _ frame: HTTP2Frame, _ payload: UnsafeRawBufferPointer
  ) throws(HTTP2Error) -> Event? {
    guard frame.id == 0 else { throw .streamNumber }
    guard frame.length >= 4 else { throw .frameSize }
    guard idleFrames.take() else { throw .flood(.idleFrames) }
    let id = HTTP2Session.number(payload, 0) & 0x7fff_ffff
    guard id & 1 == 1 else { throw .streamNumber }
    let priority = HTTP2Priority(UnsafeRawBufferPointer(rebasing: payload[4...]))
    if let place = streams.find(id) {
      streams[place].priority = priority
    } else if id > lastID {
      announcedPriority = (id, priority)
    }
    return nil
  }

  /// An answer to a frame is written: too many that nobody takes are a flood.
  mutating func reply() throws(HTTP2Error) {
    replies.newer += 1
    guard replies.older + replies.newer <= limits.replies else { throw .flood(.replies) }
  }

  /// Reads four bytes as a number.
  static func number(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
    UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }
}
