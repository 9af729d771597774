import CLinux
import Wire

/// The Date field's value, formatted once a second.
struct DateField: ~Copyable {
  private let text: UnsafeMutablePointer<UInt8>
  private var until: UInt64 = 0
  private static let nanosecondsPerSecond: UInt64 = 1_000_000_000

  init() { text = .allocate(capacity: 32) }
  deinit { text.deallocate() }

  /// 29 bytes of IMF-fixdate (RFC 9110 §5.6.7), at most a second old.
  @inline(__always)
  mutating func bytes(_ now: UInt64) -> UnsafeRawBufferPointer {
    if now >= until { renew(now) }
    return UnsafeRawBufferPointer(start: text, count: 29)
  }

  private mutating func renew(_ now: UInt64) {
    HTTPDate.format(clinux_realtime_s(), to: text)
    until = now + DateField.nanosecondsPerSecond / 4
  }
}
