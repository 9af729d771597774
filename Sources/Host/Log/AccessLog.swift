import CLinux
import Config
import Control
import Glibc
import Posix
import Wire

/// The request log: one line per request in the combined format plus the time it took, or as `--log-format`
/// says, gathered over a turn of the loop and written at its end. `-L` turns it off except for kinds that are
/// asked for by name.
struct AccessLog: ~Copyable {
  let settings: LogSettings
  var lines = ByteBuffer()
  private var time = InlineArray<32, UInt8>(repeating: 0)
  private var timeCount = 0
  private var timeOf: Int64 = -1

  /// Some requests are logged.
  let isEnabled: Bool
  /// Lines have another format.
  private let hasFormat: Bool
  /// The most bytes that a foreign value may have in the current line.
  var fieldBytes = Limits.requestLineBytes
  /// The values that a format may ask for and that come from no request.
  var process: LoggingProcess

  /// - Parameter supervisor: under a master.
  init(_ settings: LogSettings, _ supervisor: Supervisor? = nil) {
    self.settings = settings
    hasFormat = settings.format != nil
    process = LoggingProcess(supervisor)
    isEnabled =
      settings.requests || settings.clientErrors || settings.serverErrors || settings.slowMilliseconds != nil
  }

  /// Notes a request whose response is encoded.
  mutating func add(_ exchange: UnsafeMutablePointer<Exchange>, now: UInt64) {
    let status = exchange.response.status
    let microseconds = exchange.began == 0 ? 0 : (now &- exchange.began) / 1000
    guard isWanted(status, microseconds) else { return }
    let end = hasFormat ? System.microseconds() : 0
    let times = LineTimes(end: end, duration: Int64(clamping: microseconds))
    let begin = lines.count
    if hasFormat { process.count += 1 }
    addLine(exchange, times)
    if lines.count - begin > Limits.requestLineBytes { shorten(exchange, times, from: begin) }
    if lines.count > 64 * 1024 { flush() }
  }

  private mutating func addLine(_ exchange: ExchangePointer, _ times: LineTimes) {
    if hasFormat { addFormatted(exchange, times) } else { addCombined(exchange, times.duration) }
  }

  /// Makes the line that begins there again, with as much of its longest values as there is room for. The
  /// text of the operator's format is never cut.
  private mutating func shorten(_ exchange: ExchangePointer, _ times: LineTimes, from begin: Int) {
    var (fits, isTooMuch) = (LogField.mark.utf8CodeUnitCount, Limits.requestLineBytes)
    while isTooMuch - fits > 16 {
      fieldBytes = (fits + isTooMuch) / 2
      lines.truncate(to: begin)
      addLine(exchange, times)
      if lines.count - begin <= Limits.requestLineBytes { fits = fieldBytes } else { isTooMuch = fieldBytes }
    }
    if fieldBytes != fits {
      fieldBytes = fits
      lines.truncate(to: begin)
      addLine(exchange, times)
    }
    fieldBytes = Limits.requestLineBytes
  }

  private mutating func addCombined(_ exchange: ExchangePointer, _ microseconds: Int64) {
    appendClient(exchange)
    lines.append(" - - [")
    appendTime()
    lines.append("] \"")
    appendEscaped(exchange.meta.method.bytes)
    lines.append(0x20)
    appendEscaped(exchange.meta.requestURI.bytes)
    lines.append(0x20)
    appendEscaped(exchange.meta.serverProtocol.bytes)
    // Written as by other servers.
    if exchange.head.isHTTP2 { lines.append(".0") }
    lines.append("\" ")
    lines.append(decimal: Int64(exchange.response.status))
    lines.append(0x20)
    lines.append(decimal: exchange.written)
    appendQuoted("HTTP_REFERER", of: exchange)
    appendQuoted("HTTP_USER_AGENT", of: exchange)
    lines.append(0x20)
    lines.append(decimal: microseconds)
    lines.append("us\n")
  }

  /// Appends the client's address as reported by a front end; for a request that was refused before it was
  /// understood, the peer's.
  private mutating func appendClient(_ exchange: ExchangePointer) {
    if settings.believesForwarded, let said = exchange.forwardedFor { return appendEscaped(said) }
    if !exchange.meta.remoteAddr.isEmpty {
      return appendEscaped(exchange.meta.remoteAddr.bytes)
    }
    let peer = exchange.connection.peer.text
    lines.append(string: peer.isEmpty ? "-" : peer)
  }

  private mutating func appendQuoted(_ name: StaticString, of exchange: ExchangePointer) {
    lines.append(" \"")
    // Before the head was complete there is no environ to ask.
    let isKnown = exchange.isNormalized
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

  /// Writes the gathered lines; lines that nobody takes are lost, but the requests are not.
  @inline(__always)
  mutating func flush() { if !lines.isEmpty { write() } }

  private mutating func write() {
    LogSink.requests.write(lines.bytes)
    lines.removeAll()
  }

  /// Appends quotes, backslashes and anything but printable ASCII as \xNN: no request can forge a line.
  private mutating func appendEscaped(_ bytes: UnsafeRawBufferPointer) {
    if bytes.isEmpty { return lines.append(UInt8(ascii: "-")) }
    LogField.append(bytes, asJSON: false, most: fieldBytes, to: &lines)
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
