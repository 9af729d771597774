import CNSGI
import Config
import Wire

/// The WebSockets of a worker: their records, the topics, and their compressors.
///
/// Unchecked: the slab's free list and `topics` are guarded by `lock`, the streams by theirs.
final class WebSockets: @unchecked Sendable {
  let slab: Slab<WebSocket>
  private let lock = Monitor()
  private var topics: [String: Set<nsgi_ws_id>] = [:]
  /// Compressors without context takeover, by their window; one at a time for all sockets.
  private let deflating = Monitor()
  private var deflaters: [Int: Deflater] = [:]
  /// For the leader: decompressors without context takeover.
  private var inflaters: [Int: Deflater] = [:]

  /// Records in use, and how many may be.
  private var open = 0
  private let most: Int
  /// The origins whose pages may open some; empty: any.
  let origins: [WebSocketOrigin]

  init(_ limits: Limits) {
    let maximum = limits.connections + 1
    slab = Slab(maximum: min(maximum, Int(WebSocket.mark) - 1))
    (most, origins) = (limits.webSockets == 0 ? maximum : limits.webSockets, limits.webSocketOrigins)
  }

  /// How many there are.
  var count: Int {
    lock.lock()
    defer { lock.unlock() }
    return open
  }

  /// Any thread: a record, to be filled under its lock; nil if there are as many as allowed
  /// (`--websocket-max`).
  func take() -> WebSocketPointer? {
    lock.lock()
    defer { lock.unlock() }
    guard open < most else { return nil }
    open += 1
    return slab.take()
  }

  /// Frees the record; its id becomes invalid.
  func give(_ socket: WebSocketPointer) {
    // Under the lock, since an application may subscribe to the last.
    let (id, topics) = socket.locked {
      let last = (socket.id, socket.pointee.topics)
      socket.pointee.clear()
      return last
    }
    lock.lock()
    for topic in topics { remove(id, topic) }
    slab.give(socket.pointee.slot)
    open -= 1
    lock.unlock()
  }

  // MARK: Topics

  func subscribe(_ id: nsgi_ws_id, _ topic: String) {
    lock.lock()
    topics[topic, default: []].insert(id)
    lock.unlock()
  }

  func unsubscribe(_ id: nsgi_ws_id, _ topic: String) {
    lock.lock()
    remove(id, topic)
    lock.unlock()
  }

  private func remove(_ id: nsgi_ws_id, _ topic: String) {
    topics[topic]?.remove(id)
    if topics[topic]?.isEmpty == true { topics[topic] = nil }
  }

  func subscribers(_ topic: String) -> Set<nsgi_ws_id> {
    lock.lock()
    defer { lock.unlock() }
    return topics[topic] ?? []
  }

  // MARK: Compression without context

  /// A message compressed by itself, nil if that fails.
  func deflate(_ bytes: UnsafeRawBufferPointer, bits: Int, into out: inout ByteBuffer) -> Bool {
    deflating.lock()
    defer { deflating.unlock() }
    if deflaters[bits] == nil { deflaters[bits] = Deflater(compressing: true, bits: bits) }
    guard let stream = deflaters[bits] else { return false }
    stream.reset()
    return stream.deflate(bytes, into: &out)
  }

  /// Leader: decompresses a client's message, to at most `most` bytes.
  func inflate(
    _ bytes: UnsafeRawBufferPointer, bits: Int, most: Int, into out: inout ByteBuffer
  ) throws(WebSocketError) {
    if inflaters[bits] == nil { inflaters[bits] = Deflater(compressing: false, bits: bits) }
    guard let stream = inflaters[bits] else { throw .deflateMalformed }
    stream.reset()
    try stream.inflate(bytes, most: most, into: &out)
  }
}
