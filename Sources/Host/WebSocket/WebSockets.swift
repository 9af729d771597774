import CNSGI
import Wire

/// The WebSockets of a worker: their records, the topics, and what they compress with.
///
/// Unchecked: the slab's free list and `topics` are guarded by `lock`, the streams by theirs.
final class WebSockets: @unchecked Sendable {
  let slab: Slab<WebSocket>
  private let lock = Monitor()
  private var topics: [String: Set<nsgi_ws_id>] = [:]
  /// Compressors without context takeover, by their window; one at a time for all sockets.
  private let deflating = Monitor()
  private var deflaters: [Int: Deflater] = [:]
  /// The leader's: decompressors without context takeover.
  private var inflaters: [Int: Deflater] = [:]

  init(maximum: Int) { slab = Slab(maximum: min(maximum, Int(WebSocket.mark) - 1)) }

  /// Any thread: a record; to be filled under its lock.
  func take() -> WebSocketPointer {
    lock.lock()
    defer { lock.unlock() }
    return slab.take()
  }

  /// The record is free; its id leads nowhere any more.
  func give(_ socket: WebSocketPointer) {
    let (id, topics) = (socket.id, socket.pointee.topics)
    socket.locked { socket.pointee.clear() }
    lock.lock()
    for topic in topics { remove(id, topic) }
    slab.give(socket.pointee.slot)
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

  /// A message compressed by itself, nil if that cannot be.
  func deflate(_ bytes: UnsafeRawBufferPointer, bits: Int, into out: inout ByteBuffer) -> Bool {
    deflating.lock()
    defer { deflating.unlock() }
    if deflaters[bits] == nil { deflaters[bits] = Deflater(compressing: true, bits: bits) }
    guard let stream = deflaters[bits] else { return false }
    stream.reset()
    return stream.deflate(bytes, into: &out)
  }

  /// Leader: a message of a client's, of at most `most` bytes.
  func inflate(
    _ bytes: UnsafeRawBufferPointer, bits: Int, most: Int, into out: inout ByteBuffer
  ) throws(WebSocketError) {
    if inflaters[bits] == nil { inflaters[bits] = Deflater(compressing: false, bits: bits) }
    guard let stream = inflaters[bits] else { throw .deflateMalformed }
    stream.reset()
    try stream.inflate(bytes, most: most, into: &out)
  }
}
