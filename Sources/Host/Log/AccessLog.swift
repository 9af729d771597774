import CLinux
import Config
import Control
import Glibc
import Wire

/// The request log: one line a request in the combined format and the time it took, gathered over a turn of
/// the loop and written at its end. `-L` turns it off but for the kinds that are asked for by name.
struct AccessLog: ~Copyable {
  private let settings: LogSettings
  private var lines = ByteBuffer()
  private var time = InlineArray<32, UInt8>(repeating: 0)
  private var timeCount = 0
  private var timeOf: Int64 = -1

  /// Some requests are logged.
  let isEnabled: Bool

  init(_ settings: LogSettings) {
    self.settings = settings
    isEnabled =
      settings.requests || settings.clientErrors || settings.serverErrors || settings.slowMilliseconds != nil
  }

  /// Notes a request whose response is encoded.
  mutating func add(_ exchange: UnsafeMutablePointer<Exchange>, now: UInt64) {
    let status = exchange.pointee.response.status
    let microseconds = exchange.pointee.began == 0 ? 0 : (now &- exchange.pointee.began) / 1000
    guard isWanted(status, microseconds) else { return }
    appendClient(exchange)
    lines.append(" - - [")
    appendTime()
    lines.append("] \"")
    appendEscaped(exchange.pointee.meta.method.bytes)
    lines.append(0x20)
    appendEscaped(exchange.pointee.meta.requestURI.bytes)
    lines.append(0x20)
    appendEscaped(exchange.pointee.meta.serverProtocol.bytes)
    lines.append("\" ")
    lines.append(decimal: Int64(status))
    lines.append(0x20)
    lines.append(decimal: exchange.pointee.written)
    appendQuoted("HTTP_REFERER", of: exchange)
    appendQuoted("HTTP_USER_AGENT", of: exchange)
    lines.append(0x20)
    lines.append(decimal: Int64(microseconds))
    lines.append("us\n")
    if lines.count > 64 * 1024 { flush() }
  }

  /// The client's address, in a front end's words; of a request that was refused before it was understood,
  /// the peer's.
  private mutating func appendClient(_ exchange: ExchangePointer) {
    if !exchange.pointee.meta.remoteAddr.isEmpty {
      return appendEscaped(exchange.pointee.meta.remoteAddr.bytes)
    }
    let peer = exchange.pointee.connection.pointee.peer.text
    lines.append(string: peer.isEmpty ? "-" : peer)
  }

  private mutating func appendQuoted(_ name: StaticString, of exchange: ExchangePointer) {
    lines.append(" \"")
    // Before the head was complete there is no environ to ask.
    let isKnown = exchange.pointee.isNormalized
    let value = isKnown ? exchange.pointee.variable(named: Text(name).bytes).bytes : Text.empty.bytes
    appendEscaped(value)
    lines.append("\"")
  }

  private func isWanted(_ status: Int, _ microseconds: UInt64) -> Bool {
    if settings.requests { return true }
    if settings.clientErrors, (400...499).contains(status) { return true }
    if settings.serverErrors, status >= 500 { return true }
    if let slow = settings.slowMilliseconds { return microseconds >= UInt64(slow) * 1000 }
    return false
  }

  /// Writes what has gathered; what the file does not take is lost, the requests are not.
  mutating func flush() {
    guard !lines.isEmpty else { return }
    try? System.writeAll(STDERR_FILENO, lines.bytes)
    lines.removeAll()
  }

  /// Quotes, backslashes and what is not printable ASCII as \xNN: no request can forge a line.
  private mutating func appendEscaped(_ bytes: UnsafeRawBufferPointer) {
    if bytes.isEmpty { return lines.append(UInt8(ascii: "-")) }
    Printable.field(bytes) { lines.append($0) }
  }

  private mutating func appendTime() {
    let now = clinux_realtime_s()
    if now != timeOf {
      timeOf = now
      var seconds = time_t(now)
      var parts = tm()
      localtime_r(&seconds, &parts)
      timeCount = withUnsafeMutableBytes(of: &time) {
        strftime($0.baseAddress!.assumingMemoryBound(to: CChar.self), 32, "%d/%b/%Y:%H:%M:%S %z", &parts)
      }
    }
    let count = timeCount
    withUnsafeBytes(of: time) { lines.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
  }
}
