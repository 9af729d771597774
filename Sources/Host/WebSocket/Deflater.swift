import CDeflate
import Wire

/// A zlib stream for one direction; for one thread at a time.
///
/// Unchecked: its owner ensures that.
final class Deflater: @unchecked Sendable {
  private let stream: UnsafeMutableRawPointer

  /// Compression is available on this machine.
  static var isAvailable: Bool { cdeflate_is_there() != 0 }

  /// - Parameter bits: the window's, 9 … 15.
  init?(compressing: Bool, bits: Int) {
    let made = compressing ? cdeflate_compressor(Int32(bits)) : cdeflate_decompressor(Int32(bits))
    guard let made else { return nil }
    stream = made
  }

  deinit { cdeflate_free(stream) }

  /// Forgets everything that went through it.
  func reset() { cdeflate_reset(stream) }

  /// The end of every compressed message, which is not sent (RFC 7692 §7.2.1).
  private static let tail: [UInt8] = [0, 0, 0xff, 0xff]
  /// Bytes that are produced at a time.
  private static let step = 16 * 1024

  /// Appends a message compressed; false if there is no memory.
  func deflate(_ bytes: UnsafeRawBufferPointer, into out: inout ByteBuffer) -> Bool {
    guard run(bytes, most: .max, into: &out) == .done else { return false }
    if out.bytes.suffix(4).elementsEqual(Deflater.tail) { out.truncate(to: out.count - 4) }
    return true
  }

  /// Appends a message as it was before it was compressed; produces no more than `most` bytes, however small
  /// the input.
  func inflate(_ bytes: UnsafeRawBufferPointer, most: Int, into out: inout ByteBuffer) throws(WebSocketError)
  {
    var ending = run(bytes, most: most, into: &out)
    if ending == .done {
      ending = Deflater.tail.withUnsafeBytes { run($0, most: most, into: &out) }
    }
    switch ending {
    case .done: break
    case .tooMuch: throw .messageTooLarge
    case .bad: throw .deflateMalformed
    }
  }

  private enum Ending { case done, tooMuch, bad }

  private func run(_ bytes: UnsafeRawBufferPointer, most: Int, into out: inout ByteBuffer) -> Ending {
    var from = bytes.baseAddress
    var left = bytes.count
    while true {
      out.reserve(min(Deflater.step, max(512, 4 * left)))
      var made = 0
      let result = cdeflate_run(stream, &from, &left, out.tail, out.room, &made)
      out.commit(made)
      if out.count > most { return .tooMuch }
      switch result {
      case Int32(CDEFLATE_DONE): return .done
      case Int32(CDEFLATE_MORE): continue
      default: return .bad
      }
    }
  }
}
