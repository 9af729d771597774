/// Words of HTTP/2 (RFC 9113).
///
///     connection = preface SETTINGS *frame                                                   ; §3.4
///     frame      = length(24) type(8) flags(8) reserved(1) stream-id(31) payload             ; §4.1
///     request    = HEADERS *CONTINUATION *DATA [ HEADERS *CONTINUATION ]                     ; §8.1
enum HTTP2Grammar {
  /// What a client sends first (§3.4).
  static let preface: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
  static let headerBytes = 9
  /// SETTINGS_MAX_FRAME_SIZE by default (§6.5.2), and as this server announces it.
  static let frameBytes = 16384
  /// The largest SETTINGS_MAX_FRAME_SIZE.
  static let frameBytesAtMost = 1 << 24 - 1
  /// The window of a connection and of its streams by default (§6.9.2).
  static let window = 65535
  /// No window is larger (§6.9.1), no stream has a higher number (§5.1.1).
  static let windowAtMost = 1 << 31 - 1
  /// SETTINGS_HEADER_TABLE_SIZE by default (§6.5.2).
  static let tableBytes = 4096
  /// Bytes of an entry of SETTINGS (§6.5.1).
  static let settingBytes = 6
}

/// Frame types (§6, RFC 9218 §7.1).
enum HTTP2Type {
  static let data: UInt8 = 0
  static let headers: UInt8 = 1
  static let priority: UInt8 = 2
  static let reset: UInt8 = 3
  static let settings: UInt8 = 4
  static let pushPromise: UInt8 = 5
  static let ping: UInt8 = 6
  static let goAway: UInt8 = 7
  static let windowUpdate: UInt8 = 8
  static let continuation: UInt8 = 9
  static let priorityUpdate: UInt8 = 16
}

/// Flags of frames (§6).
enum HTTP2Flags {
  static let endStream: UInt8 = 0x01
  static let ack: UInt8 = 0x01
  static let endHeaders: UInt8 = 0x04
  static let padded: UInt8 = 0x08
  static let priority: UInt8 = 0x20
}

/// Entries of SETTINGS (§6.5.2, RFC 8441 §3, RFC 9218 §2.1).
enum HTTP2Setting {
  static let headerTableSize: UInt16 = 1
  static let enablePush: UInt16 = 2
  static let maxConcurrentStreams: UInt16 = 3
  static let initialWindowSize: UInt16 = 4
  static let maxFrameSize: UInt16 = 5
  static let maxHeaderListSize: UInt16 = 6
  /// Extended CONNECT may come (RFC 8441 §3).
  static let enableConnectProtocol: UInt16 = 8
  /// Priorities of RFC 7540 are not used; without it a client leaves PRIORITY_UPDATE out (RFC 9218 §2.1.1).
  static let noRFC7540Priorities: UInt16 = 9
}

/// Error codes (§7).
@frozen public enum HTTP2Code: UInt32, Sendable {
  case none = 0
  case protocolError = 1
  case internalError = 2
  case flowControl = 3
  case settingsTimeout = 4
  case streamClosed = 5
  case frameSize = 6
  case refusedStream = 7
  case cancel = 8
  case compression = 9
  case connect = 10
  case enhanceYourCalm = 11
  case inadequateSecurity = 12
  case http11Required = 13
}

/// The header of a frame (§4.1).
struct HTTP2Frame: Equatable, Sendable {
  var length: Int
  var type: UInt8
  var flags: UInt8
  var id: UInt32

  init(_ type: UInt8, flags: UInt8 = 0, id: UInt32 = 0, length: Int) {
    (self.type, self.flags, self.id, self.length) = (type, flags, id, length)
  }

  /// Reads the header at `bytes`, all nine bytes of which are there.
  @inline(__always)
  init(_ bytes: UnsafeRawPointer) {
    let word = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
    length = Int(word >> 40)
    type = UInt8(truncatingIfNeeded: word >> 32)
    flags = UInt8(truncatingIfNeeded: word >> 24)
    let last = bytes.load(fromByteOffset: 8, as: UInt8.self)
    id = UInt32(truncatingIfNeeded: word & 0x7f_ffff) << 8 | UInt32(last)
  }

  @inline(__always)
  func has(_ flag: UInt8) -> Bool { flags & flag != 0 }

  /// Writes the header at a place with room for nine bytes.
  @inline(__always)
  func write(at place: UnsafeMutableRawPointer) {
    let start = UInt64(length) << 40 | UInt64(type) << 32
    let word = start | UInt64(flags) << 24 | UInt64(id >> 8) & 0xff_ffff
    place.storeBytes(of: word.bigEndian, as: UInt64.self)
    place.storeBytes(of: UInt8(truncatingIfNeeded: id), toByteOffset: 8, as: UInt8.self)
  }

  /// Appends the header.
  func write(into out: inout ByteBuffer) {
    out.reserve(HTTP2Grammar.headerBytes)
    write(at: out.tail)
    out.commit(HTTP2Grammar.headerBytes)
  }

  /// Appends a frame whose payload is a number of four bytes.
  static func write(_ type: UInt8, id: UInt32, _ number: UInt32, into out: inout ByteBuffer) {
    HTTP2Frame(type, id: id, length: 4).write(into: &out)
    out.append(number: number)
  }
}

extension ByteBuffer {
  /// Appends four bytes, the highest first.
  mutating func append(number: UInt32) {
    reserve(4)
    tail.storeBytes(of: number.bigEndian, as: UInt32.self)
    commit(4)
  }
}
