import CNSGI
import Glibc
import Wire

/// sendfile(): a file, or a part of one, as the body of a response or a part of it.
extension Worker {
  /// Sends bytes of a file by sendfile(2) if framing and socket pass them through unchanged; otherwise they
  /// are read and written.
  func sendFile(_ exchange: ExchangePointer, _ fd: Int32, _ offset: Int64, _ count: Int64) -> Int32 {
    guard exchange.allows(.body) else { return outOfOrder(exchange, .body) }
    guard offset >= 0 else { return NSGI_MISUSE.rawValue }
    // Checked whatever the count: an invalid descriptor must not be mistaken for a client that is gone.
    guard let file = try? System.fileStatus(fd) else { return NSGI_MISUSE.rawValue }
    guard file.hasOffsets else { return withoutOffsets(exchange) }
    guard hasSpace(exchange) else { return NSGI_AGAIN.rawValue }
    commitHeld(exchange)
    guard exchange.phase == .responding else { return NSGI_GONE.rawValue }
    // No body is sent, or another one is (X-Sendfile).
    if !exchange.plan.hasBody || exchange.sendsFile { return NSGI_OK.rawValue }
    // A file of unknown length is sent to its end, as far as it can be read.
    if count < 0, !file.knowsSize { return copyFile(exchange, fd, offset, .max, isToEnd: true) }
    let left = count < 0 ? max(0, file.size - offset) : count
    guard exchange.outlet.takesFiles else { return copyFile(exchange, fd, offset, left) }
    switch exchange.plan.framing {
    case .length(let total) where left <= total - exchange.written:
      return sendRaw(exchange, fd, offset, left)
    case .untilClose: return sendRaw(exchange, fd, offset, left)
    default: return copyFile(exchange, fd, offset, left)
    }
  }

  private func withoutOffsets(_ exchange: ExchangePointer) -> Int32 {
    log.error(
      "\(app(exchange).name) gave sendfile() a pipe, a socket or a directory, and not a file; read() it and "
        + "write() what comes: \(exchange.requestLine)")
    return NSGI_MISUSE.rawValue
  }

  /// sendfile(2), waiting beside the loop for a socket that is full.
  private func sendRaw(_ exchange: ExchangePointer, _ fd: Int32, _ offset: Int64, _ count: Int64) -> Int32 {
    let socket = exchange.connection.fd
    let pushed = pushOut(exchange, toTheEnd: true)
    guard pushed == NSGI_OK.rawValue else { return pushed }
    // For an app that never waits, output may be left: the file follows it.
    if exchange.outlet.hasOutput { return copyFile(exchange, fd, offset, count) }
    var (place, left) = (offset, count)
    while left > 0 {
      do {
        let sent = try System.sendFile(socket, fd, &place, Int(min(left, 1 << 30)))
        if sent == 0 { return NSGI_IO.rawValue }
        left -= Int64(sent)
        exchange.written += Int64(sent)
        exchange.outlet.sent &+= Int64(sent)
      } catch {
        // Reading and writing separately shows whether the file or the socket failed.
        guard error.wouldBlock, !exchange.neverWaits else {
          return copyFile(exchange, fd, place, left)
        }
        let waited = awaitSocket(exchange)
        guard waited == NSGI_OK.rawValue else { return waited }
      }
    }
    return NSGI_OK.rawValue
  }

  /// - Parameter isToEnd: fewer bytes than `count` are all there are, and no failure.
  private func copyFile(
    _ exchange: ExchangePointer, _ fd: Int32, _ offset: Int64, _ count: Int64, isToEnd: Bool = false
  ) -> Int32 {
    let piece = 64 * 1024
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: piece, alignment: 16)
    defer { buffer.deallocate() }
    var (place, left) = (offset, count)
    while left > 0 {
      guard let got = try? System.read(fd, buffer, Int(min(left, Int64(piece))), at: place) else {
        return NSGI_IO.rawValue
      }
      if got == 0 { return isToEnd ? NSGI_OK.rawValue : NSGI_IO.rawValue }
      let result = encodeBody(exchange, UnsafeRawBufferPointer(start: buffer, count: got))
      guard result == NSGI_OK.rawValue else { return result }
      place += Int64(got)
      left -= Int64(got)
    }
    return NSGI_OK.rawValue
  }
}
