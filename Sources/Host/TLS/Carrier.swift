import CTLS

/// What carries the bytes of a connection with TLS: ciphertext of its socket goes in, and plaintext of the
/// codec. Belongs to the connection's outlet. The leader reads; whoever owns the outlet seals and sends.
typealias Carrier = UnsafeMutablePointer<ctls_session>

/// What reading from a carrier brings.
enum CarrierReading: Equatable {
  /// So many bytes of plaintext.
  case bytes(Int)
  /// More ciphertext is needed.
  case wants
  /// The peer has said that no more comes.
  case ended
  /// Nothing can be read any more.
  case failed
  /// These are the first bytes, and an HTTP request's without TLS.
  case plain
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
    default: .failed
    }
  }

  /// Why it cannot be read: words of OpenSSL's, nothing of the peer's.
  var reason: String { table.reason(self).map { String(cString: $0) } ?? "" }

  // MARK: Sending

  /// Bytes of ciphertext that wait to be sent.
  var waiting: Int { pointee.end - pointee.start }

  /// Adds plaintext to what is to be sent, as ciphertext; false when that cannot be.
  func seal(_ bytes: UnsafeRawBufferPointer) -> Bool { table.seal(self, bytes.baseAddress, bytes.count) == 0 }

  /// Says to the peer that no more comes, once: only so it tells a whole answer from a cut one
  /// (RFC 8446 §6.1).
  func sealEnd() { table.end(self) }

  /// Sends what was sealed; how much of it. Throws what `send` throws once nothing more is taken.
  func send(_ fd: Int32, follows: Bool, _ sent: inout Int64) throws(SystemError) {
    while waiting > 0 {
      let count = try System.send(fd, pointee.out + pointee.start, waiting, follows: follows)
      table.sent(self, count)
      sent &+= Int64(count)
    }
  }

  /// Drops what was sealed.
  func lose() { if waiting > 0 { table.sent(self, waiting) } }

  /// The end of its life.
  func close() { table.close(self) }

  // MARK: What is known

  /// HTTP/2 was agreed upon in the handshake.
  var speaksHTTP2: Bool { table.speaks_http2(self) != 0 }

  /// A text that lives as long as the session; nil where there is nothing to tell.
  func fact(_ which: ctls_fact) -> UnsafePointer<CChar>? { table.fact(self, which) }
}
