import Wire

/// A connection's way out at a fixed address.
typealias OutletPointer = UnsafeMutablePointer<Outlet>

/// The way out of a connection: what is encoded and not sent yet.
///
/// A record of its own, because its owner changes. It is the leader's; but while the exchange's call goes on
/// beside the loop, or the exchange is asynchronous, it belongs to whoever holds the exchange's lock.
struct Outlet: ~Copyable {
  var output = ByteBuffer()
  /// A stretch of a file that follows the output.
  var file = FileStretch()
  /// The socket took no more bytes; epoll tells when it does.
  var isBlocked = false
  /// The peer is gone: nothing more is sent to it, the connection closes.
  var isLost = false

  /// Something of an answer is not sent yet.
  @inline(__always)
  var hasOutput: Bool { !output.isEmpty || file.left > 0 }

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

  init() {}

  /// Owns the descriptor from now on.
  init(fd: Int32, offset: Int64, count: Int64) {
    (self.fd, self.offset, left) = (fd, offset, count)
    if count == 0 { close() }
  }

  mutating func close() {
    if fd >= 0 { System.close(fd) }
    (fd, left) = (-1, 0)
  }
}
