import Wire

/// A connection's way out at a fixed address.
typealias OutletPointer = UnsafeMutablePointer<Outlet>

/// The way out of a connection: what is encoded and not sent yet.
///
/// A record of its own, because its owner changes. It is the leader's; but while the exchange's call goes on
/// beside the loop, or the exchange is asynchronous, it belongs to whoever holds the exchange's lock.
struct Outlet: ~Copyable {
  var output = ByteBuffer()
  /// A stretch of a file that follows the output; but what was spooled goes before it.
  var file = FileStretch()
  /// Bytes of answers that a front end has caused beside its requests, since nothing waited here.
  var replies = 0
  /// The socket took no more bytes; epoll tells when it does.
  var isBlocked = false
  /// Bytes that the socket has taken, as far as they are counted: while its client is waited for.
  var sent: Int64 = 0
  /// How fast its client takes them.
  var pace = Pace()
  /// The peer is gone: nothing more is sent to it, the connection closes.
  var isLost = false

  /// TCP: a close is a reset now (Breaking.swift).
  var resets = false
  /// The body that asks for it was cut off: the close to come is the sign of it.
  var isCut = false

  /// Something of an answer is not sent yet.
  @inline(__always)
  var hasOutput: Bool { !output.isEmpty || file.left > 0 }
  /// Bytes that wait.
  var waiting: Int64 { Int64(output.count) + file.left }
  /// A peer causes answers and takes none: it is not listened to until it does.
  var isChoked: Bool { replies > Outlet.repliesBound }

  private static let repliesBound = 16 * 1024

  /// The socket took so many bytes of the output.
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

  /// Moves the output behind what was spooled already: it is too much for memory.
  mutating func spill(_ room: SpoolRoom) throws(SpoolError) {
    if file.left == 0 { file = FileStretch(try Spool(in: room)) }
    try file.append(output.bytes)
    output.removeAll()
  }

  /// The peer is gone: what waits is dropped.
  mutating func lose() {
    output.removeAll()
    file.close()
    isBlocked = false
    isLost = true
  }
}

/// A part of an open file that waits to be sent.
struct FileStretch {
  private(set) var fd: Int32 = -1
  var offset: Int64 = 0
  /// Bytes to come.
  var left: Int64 = 0
  /// The file is the server's own, and grows.
  private var spool: Spool?

  init() {}

  /// What is spooled from now on.
  init(_ spool: Spool) { (self.spool, fd) = (spool, spool.fd) }

  var isSpool: Bool { spool != nil }

  /// Adds bytes to what is spooled.
  mutating func append(_ bytes: UnsafeRawBufferPointer) throws(SpoolError) {
    try spool?.append(bytes)
    left += Int64(bytes.count)
  }

  /// Owns the descriptor from now on.
  init(fd: Int32, offset: Int64, count: Int64) {
    (self.fd, self.offset, left) = (fd, offset, count)
    if count == 0 { close() }
  }

  mutating func close() {
    if fd >= 0, spool == nil { System.close(fd) }
    (fd, left, spool) = (-1, 0, nil)
  }
}
