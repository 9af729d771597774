import Wire

/// The way out of a connection: bytes that are encoded and not sent yet.
///
/// A record of its own, because its owner changes. It is the leader's; but while the exchange's call goes on
/// beside the loop, or the exchange is asynchronous, it belongs to the thread that holds the exchange's lock.
struct Outlet: ~Copyable {
  var output = ByteBuffer()
  /// TLS: what seals it; nil if bytes leave unchanged.
  var carrier: Carrier?
  /// It belongs to a stream: the leader moves waiting bytes to the output of the connection that carries it.
  var isStream = false
  /// HTTP/2: the output is the bytes of a WebSocket, which get their frames as they leave.
  private(set) var isTunnel = false
  /// HTTP/2: its client opens no window for it, as far as a leader saw when it last looked; otherwise the
  /// bytes here wait for their turn, or for the carrier's socket. Only a leader writes it.
  var lacksWindow = false
  /// HTTP/2: frames that leave before the output: those read back from the spool, or the head that has
  /// accepted a WebSocket.
  var front = ByteBuffer()
  /// A stretch of a file that follows the output; spooled bytes go before it.
  var file = FileStretch()
  /// Bytes of answers to messages beside requests, since the output was last empty.
  var replies = 0
  /// Whether anything can be sent (ConnectionTable.swift).
  private(set) var way = Way.open
  /// Bytes that the socket has taken, as far as they are counted: while its client is waited for.
  var sent: Int64 = 0
  /// The pace at which its client takes them.
  var pace = Pace()
  /// TCP: a close is a reset now (Breaking.swift).
  var resets = false
  /// The guarded body was cut off: the coming close is the sign of it.
  var isCut = false

  /// A peer with this many bytes of `replies` is not listened to any more.
  static let repliesBound = 16 * 1024

  /// Does what the table says about an event; nothing else changes `way`.
  @_transparent
  mutating func next(_ event: Way.Event) { way = way.after(event) }

  /// The socket took this many bytes of the output.
  @inline(__always)
  mutating func took(_ count: Int) {
    output.consume(count)
    sent &+= Int64(count)
  }

  /// Nothing waits any more.
  @inline(__always)
  mutating func settle() {
    if pace.isBegun { pace = Pace() }
    replies = 0
  }

  /// Moves the output after what was spooled already: it is too much for memory.
  mutating func spill(_ room: SpoolRoom) throws(SpoolError) {
    if file.left == 0 { file = FileStretch(try Spool(in: room)) }
    try file.append(output.bytes)
    output.removeAll()
  }

  /// HTTP/2: the answer that accepts a WebSocket is in the output, and everything written from now on is the
  /// socket's.
  mutating func beginTunnel() {
    var frames = ByteBuffer()
    swap(&frames, &output)
    swap(&frames, &front)
    isTunnel = true
  }

  /// HTTP/2: the socket is over. Takes what of it has not left; frames are written from now on.
  mutating func endTunnel() -> ByteBuffer {
    var rest = ByteBuffer()
    swap(&rest, &output)
    isTunnel = false
    return rest
  }

  /// Makes the record ready for the next connection; its blocks are given back.
  mutating func clear() {
    if file.left > 0 || file.fd >= 0 { file.close() }
    if pace.isBegun { pace = Pace() }
    if front.block != nil { front = ByteBuffer() }
    (resets, isCut, isStream, isTunnel, lacksWindow) = (false, false, false, false, false)
    next(.closed)
  }

  /// The peer is gone: drops what waits.
  mutating func lose() {
    output.removeAll()
    front.removeAll()
    file.close()
    carrier?.lose()
    next(.broke)
  }
}

/// A part of an open file that waits to be sent.
struct FileStretch {
  /// Who closes the descriptor.
  private enum Owner {
    /// The stretch, closed at its end.
    case stretch
    /// The server's own file, which grows, closed at its end.
    case spool(Spool)
    /// A file that others may be sending too, closed by the last of them.
    case file(ServedFile)
  }

  private(set) var fd: Int32 = -1
  var offset: Int64 = 0
  /// Bytes to come.
  var left: Int64 = 0
  /// On a protocol that sends bodies in records: what writes the bytes around those of the file, and the end
  /// of the answer after the last of them.
  var records: ResponseEncoder?
  private var owner = Owner.stretch

  init() {}

  /// A file for everything that is spooled from now on.
  init(_ spool: Spool) { (owner, fd) = (.spool(spool), spool.fd) }

  /// A part of a file that stays open for others.
  init(of file: ServedFile, _ fd: Int32, offset: Int64, count: Int64) {
    (owner, self.fd, self.offset, left) = (.file(file), fd, offset, count)
    if count == 0 { close() }
  }

  var isSpool: Bool { if case .spool = owner { true } else { false } }

  /// Adds bytes to what is spooled.
  mutating func append(_ bytes: UnsafeRawBufferPointer) throws(SpoolError) {
    if case .spool(let spool) = owner { try spool.append(bytes) }
    left += Int64(bytes.count)
  }

  /// Owns the descriptor from now on.
  init(fd: Int32, offset: Int64, count: Int64) {
    (self.fd, self.offset, left) = (fd, offset, count)
    if count == 0 { close() }
  }

  mutating func close() {
    if case .stretch = owner {
      if fd >= 0 { System.close(fd) }
    } else {
      owner = .stretch
    }
    (fd, left) = (-1, 0)
    if records != nil { records = nil }
  }
}
