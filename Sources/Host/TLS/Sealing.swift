import Glibc
import Wire

/// TLS on the way out. Answers are sealed as the socket takes them, so that there is no second copy of a long
/// one; a file is read and sealed piece by piece, since the kernel cannot send it unchanged.
extension Worker {
  /// Bytes that are sealed at once: four records, for one system call.
  private static let pieceBytes = 64 * 1024

  /// As `send`: owner of the outlet.
  ///
  /// - Parameter ends: the connection ends with it.
  @inline(never)
  func sendSealed(
    _ outlet: OutletPointer, _ carrier: Carrier, _ fd: Int32, ends: Bool, follows: Bool, most: Int64
  ) throws(SystemError) {
    var allowed = most
    while true {
      try carrier.send(fd, follows: follows, &outlet.pointee.sent)
      if outlet.file.isSpool, outlet.file.left > 0 {
        try sealFile(outlet, carrier, &allowed)
      } else if !outlet.output.isEmpty {
        let count = min(outlet.output.count, Worker.pieceBytes)
        try seal(carrier, UnsafeRawBufferPointer(rebasing: outlet.output.bytes[..<count]))
        outlet.output.consume(count)
      } else if outlet.file.left > 0 {
        try sealFile(outlet, carrier, &allowed)
      } else {
        break
      }
    }
    guard ends else { return }
    carrier.sealEnd()
    try carrier.send(fd, follows: follows, &outlet.pointee.sent)
  }

  /// Sends as much of a large answer as the socket takes now; returns how many bytes of it were sealed.
  func sendSealed(
    _ outlet: OutletPointer, _ carrier: Carrier, _ fd: Int32, _ bytes: UnsafeRawBufferPointer,
    _ done: inout Int
  ) throws(SystemError) {
    try sendSealed(outlet, carrier, fd, ends: false, follows: false, most: .max)
    while done < bytes.count {
      let count = min(bytes.count - done, Worker.pieceBytes)
      try seal(carrier, UnsafeRawBufferPointer(rebasing: bytes[done..<(done + count)]))
      done += count
      try carrier.send(fd, follows: false, &outlet.pointee.sent)
    }
  }

  private func seal(_ carrier: Carrier, _ bytes: UnsafeRawBufferPointer) throws(SystemError) {
    // There is no memory, or the peer has broken off the session.
    guard carrier.seal(bytes) else { throw SystemError("send", EPIPE) }
  }

  private func sealFile(
    _ outlet: OutletPointer, _ carrier: Carrier, _ allowed: inout Int64
  ) throws(SystemError) {
    if allowed <= 0 { throw SystemError("send", EAGAIN) }
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: Worker.pieceBytes, alignment: 16)
    defer { room.deallocate() }
    let count = try System.read(
      outlet.file.fd, room.baseAddress!, Int(min(outlet.file.left, Int64(room.count))), at: outlet.file.offset
    )
    // The file became shorter than its head promised: the client must see the answer cut.
    if count == 0 { throw SystemError("pread", EPIPE) }
    try seal(carrier, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count]))
    allowed -= Int64(count)
    outlet.file.offset += Int64(count)
    outlet.file.left -= Int64(count)
    if outlet.file.left == 0 { outlet.file.close() }
  }
}
