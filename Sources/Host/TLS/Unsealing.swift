import CLinux
import CTLS
import Glibc
import Wire

/// TLS on the way in: the socket holds ciphertext, and the codec sees plaintext. Everything in one piece of
/// ciphertext is taken at once, so that nothing is left in a session that no event would report. These
/// connections belong to epoll on either loop: the ring brings blocks that would have to be opened between
/// completions, and a handshake would hold up all of these. (Handshakes.swift: those that take long.)
extension Worker {
  /// A connection has come to a TLS socket.
  func beginSealed(_ connection: ConnectionPointer, _ place: Int) {
    connection.isSealed = true
    connection.prefersReactor = true
    connection.keepsInput = false
    connection.preface.insert(.tls)
    // Without one nothing is read.
    let identities = acceptor.presented.identities
    connection.outlet.carrier = place < identities.count ? identities[place].open(for: connection.fd) : nil
    if clinux_realtime_s() >= acceptor.presented.stapleEnd { lookAtStaples() }
  }

  /// As `takeInput`: EAGAIN if the input contains no byte for the codec yet.
  @inline(never)
  func takeSealed(_ connection: ConnectionPointer) throws(SystemError) -> Int {
    // The bytes of a stream are in its input.
    if connection.isStream { throw SystemError("recv", EAGAIN) }
    guard let carrier = connection.outlet.carrier else { throw SystemError("recv", ENOMEM) }
    // Nobody needs the ciphertext once it was opened.
    let count = try System.receive(connection.fd, intake.wasted, BlockPool.blockBytes)
    intake.hasReadAll = count < BlockPool.blockBytes
    guard count > 0 else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: intake.wasted, count: count)
    // A front end names its client before it speaks TLS.
    if connection.preface.contains(.proxy) {
      blocks.fill(&connection.input)
      connection.input.append(bytes)
      return count
    }
    return try unseal(connection, carrier, bytes)
  }

  /// Opens ciphertext into the connection's input.
  ///
  /// - Parameter bytes: empty after a step beside the loop: the session still has what it was lent.
  private func unseal(
    _ connection: ConnectionPointer, _ carrier: Carrier, _ bytes: UnsafeRawBufferPointer
  ) throws(SystemError) -> Int {
    if !bytes.isEmpty { carrier.lend(bytes) }
    var count = 0
    while true {
      blocks.fill(&connection.input)
      if connection.input.room < Worker.leastRoom { connection.input.reserve(BlockPool.blockBytes) }
      switch carrier.read(connection.input.tail, connection.input.room) {
      case .bytes(let more):
        connection.input.commit(more)
        count += more
      case .wants where count > 0:
        sealedBegan(connection, carrier)
        return count
      case .wants:
        awaitCiphertext(connection, carrier)
        throw SystemError("recv", EAGAIN)
      case .toils where leavesToil(connection, carrier): throw SystemError("recv", EAGAIN)
      case .toils: carrier.toil()
      case let reading where reading != .plain:
        // Earlier input is served first; the end is reported again.
        System.shutdownReading(connection.fd)
        if count > 0 { sealedBegan(connection, carrier) }
        if reading == .failed, !carrier.isSecure {
          tellOfClose(connection, "no TLS handshake: \(carrier.reason)")
        }
        return count
      default:
        carrier.close()
        connection.outlet.carrier = nil
        connection.isSealed = false
        connection.input.append(bytes)
        return bytes.count
      }
    }
  }

  /// Bytes of a request have come: which protocol was agreed upon (RFC 7301)?
  private func sealedBegan(_ connection: ConnectionPointer, _ carrier: Carrier) {
    guard connection.preface.contains(.tls) else { return }
    connection.preface.remove(.tls)
    if carrier.speaksHTTP2 { beginHTTP2(connection) }
  }

  /// Room in the input below which it grows: a record is opened whole.
  private static let leastRoom = 4 * 1024

  /// No byte of a request has come: the handshake's output leaves now (after the handshake, only with the
  /// next answer), and a connection with nothing to hold has no block.
  private func awaitCiphertext(_ connection: ConnectionPointer, _ carrier: Carrier) {
    if connection.input.isEmpty { blocks.empty(&connection.input) }
    if carrier.waiting > 0, connection.exchange == nil, connection.socket == nil { flush(connection) }
  }

  /// The first bytes of a TLS connection that are not a TLS record: either a PROXY header was read, and
  /// ciphertext follows it; or a request came without TLS. True when the codec may read on.
  func readSealed(_ connection: ConnectionPointer) -> Bool {
    guard let carrier = connection.outlet.carrier else {
      connection.preface.remove(.tls)
      _ = begin(connection)
      refuse(
        connection, 400,
        "this socket speaks HTTPS, and the request came without TLS; write https:// in the URL")
      return false
    }
    guard !connection.input.isEmpty else {
      watchInput(connection)
      return false
    }
    let sealed = UnsafeMutableRawBufferPointer.allocate(byteCount: connection.input.count, alignment: 16)
    defer { sealed.deallocate() }
    sealed.copyMemory(from: connection.input.bytes)
    connection.input.removeAll()
    return goOnSealed(connection, carrier, UnsafeRawBufferPointer(sealed))
  }

  /// Goes on with a connection whose socket has not just been read; `bytes` as in `unseal`. True when the
  /// codec may read on.
  func goOnSealed(
    _ connection: ConnectionPointer, _ carrier: Carrier, _ bytes: UnsafeRawBufferPointer
  ) -> Bool {
    do throws(SystemError) {
      let count = try unseal(connection, carrier, bytes)
      if count > 0, connection.outlet.carrier == nil { return readSealed(connection) }
      if count > 0 { return true }
      ended(connection)
    } catch {
      if error.wouldBlock { watchOrClose(connection) } else { broke(connection) }
    }
    return false
  }

  /// The connection closes: tells its peer that this is the end, if that is possible without waiting.
  ///
  /// - Parameter keepsSession: its facts may still be asked for.
  func endSealed(_ connection: ConnectionPointer, keepsSession: Bool = false) {
    let outlet = connection.outlet
    guard let carrier = outlet.carrier else { return }
    if !outlet.isLost, !outlet.isCut {
      carrier.sealEnd()
      var sent: Int64 = 0
      try? carrier.send(connection.fd, follows: false, &sent)
    }
    if !keepsSession { carrier.close() }
    outlet.carrier = nil
  }
}
