import CLinux
import Wire

/// Date and Server as lines of a response head, written anew when they may be a second old.
struct DateField: ~Copyable {
  private let memory: UnsafeMutableRawPointer
  private var lines: ServerFields
  /// The value of Server; empty: without one.
  let server: StaticString
  private var until: UInt64 = 0
  private static let nanosecondsPerSecond: UInt64 = 1_000_000_000

  init(server: StaticString) {
    self.server = server
    memory = .allocate(byteCount: ServerFields.size(server: server), alignment: 16)
    lines = ServerFields(seconds: 0, server: server, in: memory)
  }

  deinit { memory.deallocate() }

  /// The fields, valid until the next call; the date is at most a second old.
  @inline(__always)
  mutating func fields(_ now: UInt64) -> ServerFields {
    if now >= until { renew(now) }
    return lines
  }

  private mutating func renew(_ now: UInt64) {
    lines = ServerFields(seconds: clinux_realtime_s(), server: server, in: memory)
    until = now + DateField.nanosecondsPerSecond / 4
  }
}
