import CTLS

/// Carries the bytes of a TLS connection: ciphertext of its socket goes in, and plaintext of the codec.
/// Belongs to the connection's outlet. The leader reads; the outlet's owner seals and sends.
typealias Carrier = UnsafeMutablePointer<ctls_session>

/// The result of reading from a carrier.
enum CarrierReading: Equatable {
  /// This many bytes of plaintext.
  case bytes(Int)
  /// More ciphertext is needed.
  case wants
  /// The peer has announced the end.
  case ended
  /// Nothing can be read any more.
  case failed
  /// These are the first bytes, and they belong to an HTTP request without TLS.
  case plain
  /// The handshake's next step uses the key: `toil` takes it.
  case toils
}

extension UnsafeMutablePointer where Pointee == ctls_session {
  /// The functions of the library that has made it.
  private var table: ctls_table { TLSLibrary.table!.pointee }

  // MARK: Reading

  /// The handshake is complete.
  var isSecure: Bool { pointee.is_secure != 0 }

  /// Lends ciphertext to the reads that follow, until one of them brings no bytes.
  func lend(_ bytes: UnsafeRawBufferPointer) { table.lend(self, bytes.baseAddress, bytes.count) }

  /// Reads plaintext.
  func read(_ to: UnsafeMutableRawPointer, _ room: Int) -> CarrierReading {
    switch table.read(self, to, room) {
    case let count where count > 0: .bytes(count)
    case Int(CTLS_WANTS.rawValue): .wants
    case Int(CTLS_ENDED.rawValue): .ended
    case Int(CTLS_PLAIN.rawValue): .plain
    case Int(CTLS_TOILS.rawValue): .toils
    default: .failed
    }
  }

  /// The step that uses the key may take longer than a millisecond.
  var isHeavy: Bool { pointee.is_heavy != 0 }

  /// Takes that step. Any thread, while no other touches the session.
  func toil() { table.toil(self) }

  /// Why it cannot be read: OpenSSL's words, nothing from the peer.
  var reason: String { table.reason(self).map { String(cString: $0) } ?? "" }

  // MARK: Sending

  /// Bytes of ciphertext that wait to be sent.
  var waiting: Int { pointee.end - pointee.start }

  /// Adds plaintext, as ciphertext, to the bytes to be sent; false if that fails.
  func seal(_ bytes: UnsafeRawBufferPointer) -> Bool { table.seal(self, bytes.baseAddress, bytes.count) == 0 }

  /// Announces the end to the peer, once: this lets it tell a whole answer from a cut one (RFC 8446 §6.1).
  func sealEnd() { table.end(self) }

  /// Sends sealed bytes, and counts them in `sent`. Throws the error of `send` once nothing more is taken.
  func send(_ fd: Int32, follows: Bool, _ sent: inout Int64) throws(SystemError) {
    while waiting > 0 {
      let count = try System.send(fd, pointee.out + pointee.start, waiting, follows: follows)
      table.sent(self, count)
      sent &+= Int64(count)
    }
  }

  /// Drops sealed bytes.
  func lose() { if waiting > 0 { table.sent(self, waiting) } }

  /// Ends its life.
  func close() { table.close(self) }

  // MARK: Facts

  /// HTTP/2 was agreed upon in the handshake.
  var speaksHTTP2: Bool { table.speaks_http2(self) != 0 }

  /// A text that lives as long as the session; nil if there is nothing to tell.
  func fact(_ which: ctls_fact) -> UnsafePointer<CChar>? { table.fact(self, which) }
}
