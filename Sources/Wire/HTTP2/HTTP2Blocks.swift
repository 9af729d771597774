/// Field blocks (RFC 9113 §4.3): HEADERS and CONTINUATION of requests and their trailers.
extension HTTP2Session {
  /// HEADERS (§6.2).
  mutating func headers(
    _ frame: HTTP2Frame, _ payload: UnsafeRawBufferPointer, _ out: inout ByteBuffer
  ) throws(HTTP2Error) -> Event? {
    guard frame.id & 1 == 1 else { throw frame.id == 0 ? .streamNumber : .streamNotNew }
    var (start, end) = (0, payload.count)
    if frame.has(HTTP2Flags.padded) {
      guard let padding = payload.first else { throw .frameSize }
      (start, end) = (1, end - Int(padding))
    }
    var dependsOnItself = false
    if frame.has(HTTP2Flags.priority) {
      guard payload.count - start >= 5 else { throw .frameSize }
      dependsOnItself = HTTP2Session.number(payload, start) & 0x7fff_ffff == frame.id
      start += 5
    }
    guard start <= end else { throw .paddingTooLong }
    if frame.id <= lastID, streams.find(frame.id) == nil {
      switch streams.ending(frame.id) {
      case nil: throw .streamNotNew
      case .complete, .resetThere: throw .streamOver
      case .resetHere: break
      }
    }
    block.removeAll()
    block.append(UnsafeRawBufferPointer(rebasing: payload[start..<end]))
    (blockID, blockEnds, continuations) = (frame.id, frame.has(HTTP2Flags.endStream), 0)
    isSelfDependent = dependsOnItself
    return frame.has(HTTP2Flags.endHeaders) ? try blockEnded(&out) : nil
  }

  /// CONTINUATION (§6.10).
  mutating func continuation(
    _ frame: HTTP2Frame, _ payload: UnsafeRawBufferPointer, _ out: inout ByteBuffer
  ) throws(HTTP2Error) -> Event? {
    guard blockID != 0 else { throw .blockInterrupted }
    continuations += 1
    guard continuations <= limits.continuations else { throw .flood(.continuations) }
    block.append(payload)
    return frame.has(HTTP2Flags.endHeaders) ? try blockEnded(&out) : nil
  }

  /// A block is complete: a request, trailers, or a useless one.
  private mutating func blockEnded(_ out: inout ByteBuffer) throws(HTTP2Error) -> Event? {
    let id = blockID
    if let place = streams.find(id) { return try trailersCame(id, place, &out) }
    if id <= lastID || id > servedID {
      // The block of a stream that was reset here, or that comes too late: it has to be decoded, and nothing
      // else.
      guard idleFrames.take() else { throw .flood(.idleFrames) }
      if id > lastID { streams.note(id, .resetHere) }
      lastID = max(lastID, id)
      try drop()
      return nil
    }
    lastID = id
    guard !isSelfDependent else {
      try drop()
      return try fail(id, .dependsOnItself, &out)
    }
    guard !streams.isFull else {
      try drop()
      return try fail(id, .tooManyStreams, &out)
    }
    var stream = HTTP2Stream(
      id: id, ends: blockEnds, sendWindow: peer.window, receiveWindow: limits.streamWindow)
    if let (announced, priority) = announcedPriority, announced == id {
      stream.priority = priority
    }
    streams.add(stream)
    isHeadWaiting = true
    return .request(id: id, ends: blockEnds)
  }

  /// Decodes the head of the request that has come.
  ///
  /// - Parameter head: an empty one.
  /// - Returns: the error in it. The stream is open all the same: an answer may report the error
  ///   (`HTTP2Error.answer`), or it is reset.
  /// - Throws: the error that ends the connection.
  public mutating func takeHead(_ head: inout RequestHead) throws(HTTP2Error) -> HTTP2Error? {
    precondition(isHeadWaiting)
    head.reset(form: .fields)
    head.isHTTP2 = true
    let id = blockID
    let fields = try readBlock(&head, .request)
    guard let place = streams.find(id) else { return fields.error }
    // PRIORITY_UPDATE goes before the field (RFC 9218 §7).
    if streams[place].priority == nil { streams[place].priority = fields.priority }
    if let error = fields.error { return error }
    let ends = !streams[place].state.receives
    guard !ends || fields.contentLength <= 0 else { return .lengthMalformed }
    if head.asksForWebSocket {
      // It has no body: what comes is for whoever accepts.
      streams[place].isTunnel = true
      head.expectsContinue = false
      return nil
    }
    streams[place].announced = fields.contentLength
    if !ends { head.framing = .stream(announced: fields.contentLength >= 0 ? fields.contentLength : nil) }
    if ends { head.expectsContinue = false }
    return nil
  }

  /// The same for an unwanted request: the next block needs the table.
  public mutating func drop() throws(HTTP2Error) {
    var head = RequestHead(capacity: 1)
    swap(&head, &unwanted)
    head.reset(form: .fields)
    defer { swap(&head, &unwanted) }
    _ = try readBlock(&head, .unwanted)
  }

  private mutating func readBlock(
    _ head: inout RequestHead, _ purpose: HTTP2Fields.Purpose
  ) throws(HTTP2Error) -> HTTP2Fields {
    var fields = HTTP2Fields(limits: limits.head, purpose)
    (blockID, isHeadWaiting) = (0, false)
    var bytes = ByteBuffer()
    swap(&bytes, &block)
    defer { swap(&bytes, &block) }
    try fields.read(bytes.bytes, &decoder, &head)
    // Long blocks are an exception.
    if bytes.capacity > 4096 { bytes = ByteBuffer() } else { bytes.removeAll() }
    return fields
  }

  /// Trailers (§8.1): the end of a request.
  private mutating func trailersCame(
    _ id: UInt32, _ place: Int, _ out: inout ByteBuffer
  ) throws(HTTP2Error) -> Event? {
    let (ends, receives, isTunnel) = (blockEnds, streams[place].state.receives, streams[place].isTunnel)
    var head = RequestHead(capacity: 1)
    swap(&head, &unwanted)
    head.reset(form: .fields)
    defer { swap(&head, &unwanted) }
    let fields = try readBlock(&head, .trailers)
    guard receives else { return try fail(id, .halfClosed, &out) }
    if isSelfDependent { return try fail(id, .dependsOnItself, &out) }
    if isTunnel { return try fail(id, .headInTunnel, &out) }
    guard ends, fields.error == nil else {
      return try fail(id, fields.error ?? .trailersMalformed, &out)
    }
    if !head.assembled.isEmpty {
      trailersID = id
      swap(&trailers, &head.assembled)
    }
    return try requestEnded(id, &out)
  }

  /// The trailers of a request whose end was the last event, as `name NUL value NUL` each, names in lower
  /// case; nil if it has none that mean anything.
  public mutating func takeTrailers(_ id: UInt32) -> ByteBuffer? {
    guard trailersID == id else { return nil }
    trailersID = 0
    var taken = ByteBuffer()
    swap(&taken, &trailers)
    return taken
  }
}
