import Config
import Control
import Glibc
import Wire

/// The values of a line of the request log that come from no request: the process, and its memory.
struct LoggingProcess {
  /// Its place among the workers, from 1; without a master there is one.
  let seat: Int
  /// Under a master.
  let board: Scoreboard?
  /// Lines in the operator's format since the start.
  var count: Int64 = 0
  /// Bytes of address space, and those that are resident, at `measured`.
  private var memory = (virtual: Int64(0), resident: Int64(0))
  /// Seconds since 1970.
  private var measured: Int64 = -1

  init(_ supervisor: Supervisor?) {
    seat = (supervisor?.seat ?? 0) + 1
    board = supervisor?.board
  }

  /// The process's memory, at most a second old.
  mutating func memory(at seconds: Int64) -> (virtual: Int64, resident: Int64) {
    if seconds != measured { (measured, memory) = (seconds, System.memory()) }
    return memory
  }
}

/// When a request began and ended.
struct LineTimes {
  /// Microseconds since 1970, at the end; 0 if nothing asks for it.
  let end: Int64
  let duration: Int64
  var begin: Int64 { end - duration }
  var beginSeconds: Int64 { begin / 1_000_000 }
}

/// Lines in the format of `--log-format`.
extension AccessLog {
  /// Appends the line of a request.
  mutating func addFormatted(_ exchange: ExchangePointer, _ times: LineTimes) {
    guard let format = settings.format else { return }
    for piece in format.pieces {
      switch piece {
      case .text(let bytes): bytes.withUnsafeBytes { lines.append($0) }
      case .value(.variable(let name)): name.withUnsafeBytes { put(exchange.said($0), format) }
      case .value(.logvar(let name)): name.withUnsafeBytes { put(exchange.logvar($0), format) }
      case .value(.metric(let count)): lines.append(decimal: metric(count))
      case .value(.plain(let value)):
        if !putWord(value, exchange, format), !putTime(value, times, format) {
          lines.append(decimal: number(value, exchange, times))
        }
      }
    }
    lines.append(0x0a)
  }

  /// Puts a value that somebody else has chosen, so that it stays a single one.
  private mutating func put(_ bytes: UnsafeRawBufferPointer, _ format: LogFormat) {
    if bytes.isEmpty { return lines.append(string: format.absent) }
    LogField.append(bytes, asJSON: format.escaping == .json, most: fieldBytes, to: &lines)
  }

  private mutating func put(string text: String, _ format: LogFormat) {
    var text = text
    text.withUTF8 { put(UnsafeRawBufferPointer($0), format) }
  }

  private func metric(_ count: LogValue.Count) -> Int64 {
    guard let board = process.board else { return count == .requests ? process.count : 0 }
    return switch count {
    case .requests: Int64(board[.requests].count)
    case .connections: Int64(board[.connections].count)
    case .dropped: Int64(board[.droppedLines].count)
    }
  }

  // MARK: Words

  /// Appends a value that is text; false for one that is not.
  private mutating func putWord(
    _ value: LogValue.Plain, _ exchange: ExchangePointer, _ format: LogFormat
  ) -> Bool {
    switch value {
    case .method: put(exchange.meta.method.bytes, format)
    case .uri: put(exchange.meta.requestURI.bytes, format)
    case .proto:
      // Written as by other servers.
      put(exchange.head.isHTTP2 ? Text("HTTP/2.0").bytes : exchange.meta.serverProtocol.bytes, format)
    case .path: put(exchange.meta.pathInfo.bytes, format)
    case .query: put(exchange.meta.query.bytes, format)
    case .scheme: put(exchange.meta.scheme.bytes, format)
    case .host: put(exchange.said("HTTP_HOST"), format)
    case .uagent: put(exchange.said("HTTP_USER_AGENT"), format)
    case .referer: put(exchange.said("HTTP_REFERER"), format)
    case .user: put(exchange.said("REMOTE_USER"), format)
    case .traceparent: put(exchange.said("HTTP_TRACEPARENT"), format)
    case .id: put(exchange.pointee.requestID().bytes, format)
    case .addr: putClient(exchange, format)
    case .app: putApp(exchange, format)
    case .gateway: put(string: "\(exchange.connection.gateway)", format)
    default: return false
    }
    return true
  }

  private mutating func putClient(_ exchange: ExchangePointer, _ format: LogFormat) {
    if settings.believesForwarded, let said = exchange.forwardedFor { return put(said, format) }
    guard exchange.meta.remoteAddr.isEmpty else { return put(exchange.meta.remoteAddr.bytes, format) }
    put(string: exchange.connection.peer.text, format)
  }

  private mutating func putApp(_ exchange: ExchangePointer, _ format: LogFormat) {
    guard let mount = exchange.calls?.app.mount else { return put(Text.empty.bytes, format) }
    if mount.isEmpty { return lines.append(UInt8(ascii: "/")) }
    mount.withUnsafeBytes { put($0, format) }
  }

  // MARK: Times

  /// Appends a time; false for a value that is not one.
  private mutating func putTime(_ value: LogValue.Plain, _ times: LineTimes, _ format: LogFormat) -> Bool {
    switch value {
    case .ltime: putDate(times.beginSeconds, "%d/%b/%Y:%H:%M:%S %z", format)
    case .ctime: putDate(times.beginSeconds, "%a %b %e %H:%M:%S %Y", format)
    case .ftime: putDate(times.beginSeconds, settings.dateFormat ?? "%d/%b/%Y:%H:%M:%S %z", format)
    case .iso:
      putDate(times.beginSeconds, "%Y-%m-%dT%H:%M:%S", isUTC: true, format)
      put(padded: times.begin % 1_000_000 / 1000, digits: 3, behind: ".")
      lines.append(UInt8(ascii: "Z"))
    case .secs:
      lines.append(decimal: times.duration / 1_000_000)
      put(padded: times.duration % 1_000_000, digits: 6, behind: ".")
    default: return false
    }
    return true
  }

  private mutating func put(padded value: Int64, digits: Int, behind mark: StaticString) {
    lines.append(mark)
    var bound: Int64 = 10
    // A zero for each missing digit.
    for _ in 1..<digits {
      if value < bound { lines.append(UInt8(ascii: "0")) }
      bound *= 10
    }
    lines.append(decimal: value)
  }

  private mutating func putDate(
    _ seconds: Int64, _ pattern: String, isUTC: Bool = false, _ format: LogFormat
  ) {
    var (seconds, parts) = (time_t(seconds), tm())
    if isUTC { gmtime_r(&seconds, &parts) } else { localtime_r(&seconds, &parts) }
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
      let count = strftime(text.baseAddress!, text.count, pattern, &parts)
      put(UnsafeRawBufferPointer(start: text.baseAddress, count: count), format)
    }
  }

  // MARK: Numbers

  private mutating func number(
    _ value: LogValue.Plain, _ exchange: ExchangePointer, _ times: LineTimes
  ) -> Int64 {
    switch value {
    case .status: Int64(exchange.response.status)
    case .size: exchange.written + headBytes(exchange)
    case .rsize: exchange.written
    case .hsize: headBytes(exchange)
    case .headers: Int64(headLines(exchange))
    case .time: times.beginSeconds
    case .tmsecs: times.begin / 1000
    case .tmicros: times.begin
    case .epoch: times.end / 1_000_000
    case .micros: times.duration
    case .msecs: times.duration / 1000
    case .pid: Int64(getpid())
    case .wid: Int64(process.seat)
    case .cl: max(0, exchange.meta.contentLength)
    case .received: exchange.received
    case .vars: variables(exchange)
    case .pktsize: exchange.isNormalized ? Int64(exchange.head.end) : 0
    case .rss: process.memory(at: times.end / 1_000_000).resident
    case .rssM: process.memory(at: times.end / 1_000_000).resident >> 20
    case .vsz: process.memory(at: times.end / 1_000_000).virtual
    case .vszM: process.memory(at: times.end / 1_000_000).virtual >> 20
    // A request has one place and one thread from its beginning to its end.
    case .switches: 1
    case .core: Int64(exchange.slot)
    case .appid: Int64(exchange.calls?.place ?? 0)
    case .generation: Int64(exchange.calls?.app.generation.number ?? 0)
    case .req: process.count
    // Whether its client could not be told the answer.
    case .ioerr, .werr: exchange.outlet.isLost ? 1 : 0
    case .modifier1: Int64(exchange.connection.codec.modifiers.first)
    case .modifier2: Int64(exchange.connection.codec.modifiers.second)
    default: 0
    }
  }

  private func variables(_ exchange: ExchangePointer) -> Int64 {
    guard exchange.isNormalized else { return 0 }
    _ = exchange.pointee.environList()
    return Int64(exchange.lists.environCount)
  }

  /// Bytes of the head as the application gave it, in HTTP's spelling, as uWSGI counts them.
  private func headBytes(_ exchange: ExchangePointer) -> Int64 {
    let status = exchange.response.status
    let phrase =
      exchange.response.reason.isEmpty
      ? StatusPhrase.of(status).utf8CodeUnitCount : exchange.response.reason.count
    var count = exchange.meta.serverProtocol.count + 5 + phrase + 2 + exchange.response.fields.count + 2
    if exchange.response.contentLength >= 0 {
      count += "Content-Length: \r\n".utf8.count + "\(exchange.response.contentLength)".utf8.count
    }
    return Int64(count)
  }

  private func headLines(_ exchange: ExchangePointer) -> Int {
    let ends = exchange.response.fields.bytes.count { $0 == 0x0a }
    return ends + (exchange.response.contentLength >= 0 ? 1 : 0)
  }
}

extension UnsafeMutablePointer where Pointee == Exchange {
  /// A variable of the request; empty when there is none, or before the head was complete.
  func said(_ name: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    isNormalized ? pointee.variable(named: name).bytes : Text.empty.bytes
  }

  /// The same by a literal.
  func said(_ name: StaticString) -> UnsafeRawBufferPointer { said(Text(name).bytes) }

  /// The value of X-Forwarded-For, whoever sent it; nil if there is none.
  var forwardedFor: UnsafeRawBufferPointer? {
    let text = said("HTTP_X_FORWARDED_FOR")
    return text.isEmpty ? nil : text
  }

  /// Bytes of the body that have come. A complete body is given back before its answer is accounted for, but
  /// its size is known.
  var received: Int64 {
    calls == nil || stream.received > 0 ? stream.received : meta.contentLength
  }
}
