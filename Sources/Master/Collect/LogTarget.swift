import Config
import Control
import Glibc
import Posix

/// A destination of lines, and what it has not taken yet. It never waits: lines that are not taken are kept
/// up to a bound; lines beyond it are dropped and counted.
final class LogTarget {
  let destination: LogDestination
  /// Lines that nobody will see.
  private(set) var drops = 0
  /// Those of them that have not been reported.
  private var untold = 0
  /// Whole records that were not taken yet, from `first` on; only the first may have lost its beginning.
  private var records: [[UInt8]] = []
  private var first = 0
  private var waitingBytes = 0
  private var descriptor: Int32 = -1
  private var address: SocketName?
  /// The size of the file.
  private var size: Int64 = 0
  private let maxBytes: Int64
  private let backup: String?
  /// Monotonic nanoseconds before which it is not opened again.
  private var pause: UInt64 = 0
  /// The last problem, reported once.
  private var trouble = ""
  /// It has taken a line. Before that, lines for a missing destination go to standard error.
  private var wasThere = false

  /// Bytes that are kept at most; as for standard error.
  private static let bound = LogSink.bound
  /// Nanoseconds until the next try to open.
  private static let retry: UInt64 = 500_000_000

  init(_ destination: LogDestination, _ routing: LogRouting) {
    self.destination = destination
    switch destination.place {
    case .file(_, let bytes, let backup):
      (maxBytes, self.backup) = (bytes > 0 ? bytes : routing.maxBytes, backup ?? routing.backup)
    default: (maxBytes, backup) = (0, nil)
    }
  }

  /// It has something that was not taken.
  var isWaiting: Bool { first < records.count }

  /// The descriptor whose room is worth waiting for; nil: it has to be tried again and again.
  var waitsFor: Int32? {
    guard isWaiting, descriptor >= 0, case .file = destination.place else { return nil }
    return descriptor
  }

  /// Takes a line without a newline.
  func take(_ line: [UInt8], _ level: LogLevel) {
    if case .standard = destination.place {
      return (line + [0x0a]).withUnsafeBytes { LogSink.shared.write($0) }
    }
    if !wasThere, !trouble.isEmpty, !isWaiting, !open() || !isReachable() {
      return (line + [0x0a]).withUnsafeBytes { LogSink.shared.write($0) }
    }
    guard waitingBytes < LogTarget.bound else { return drop() }
    let record = record(line, level)
    records.append(record)
    waitingBytes += record.count
  }

  private func drop() {
    drops += 1
    untold += 1
  }

  /// There is something to report about it.
  var hasNews: Bool { untold > 0 || !trouble.isEmpty && trouble != told }

  /// Lines lost since the last call.
  func takeUntold() -> Int {
    defer { untold = 0 }
    return untold
  }

  /// The current problem, reported once.
  func takeTrouble() -> String? {
    guard !trouble.isEmpty, trouble != told else { return nil }
    told = trouble
    return trouble
  }
  private var told = ""

  // MARK: Records

  private func record(_ line: [UInt8], _ level: LogLevel) -> [UInt8] {
    switch destination.place {
    case .standard, .file: return line + [0x0a]
    case .socket: return line
    case .syslog(let identity, let facility, _):
      let head =
        "<\(facility * 8 + level.severity)>\(System.date("%b %e %H:%M:%S")) \(identity)[\(System.ownPID)]: "
      return Array(head.utf8) + line
    case .remoteSyslog(_, let identity, let priority):
      let head = "<\(priority)>\(System.date("%b %e %H:%M:%S")) \(System.hostName) \(identity): "
      // RFC 5426 §3.2: receivers take at least 2048 bytes.
      return Array((Array(head.utf8) + line).prefix(2048))
    case .journal(let identity, _):
      return Array("SYSLOG_IDENTIFIER=\(identity)\nPRIORITY=\(level.severity)\nMESSAGE=".utf8) + line + [0x0a]
    }
  }

  // MARK: Writing

  /// Writes waiting records as far as they are taken.
  func flush() {
    guard isWaiting else { return }
    if descriptor < 0, !open() { return }
    while isWaiting {
      guard send() else { break }
    }
    guard first > 0 else { return }
    records.removeFirst(first)
    first = 0
  }

  /// Sends the next record, or to a file as many as fit in one write; false when nothing is taken now.
  private func send() -> Bool {
    switch destination.place {
    case .file: return write()
    default: break
    }
    let record = records[first]
    let result = System.sendDatagram(descriptor, record, to: address)
    switch result {
    case 0: break
    case EAGAIN, EWOULDBLOCK, ENOBUFS, EINTR: return false
    // Nobody listens now: the program that serves the socket may be restarting.
    case ENOENT, ECONNREFUSED, ENOTCONN:
      trouble = "\(destination.text) is not there: \(String(cString: strerror(result)))"
      return false
    default:
      trouble = "\(destination.text) takes nothing: \(String(cString: strerror(result)))"
      drop()
    }
    waitingBytes -= record.count
    first += 1
    if result == 0 { (trouble, told, wasThere) = ("", "", true) }
    return true
  }

  private func write() -> Bool {
    // Up to a pipe's atomic size at once, so that lines stay whole beside other writers.
    var (batch, last) = (records[first], first)
    while last + 1 < records.count, batch.count + records[last + 1].count <= 4096 {
      last += 1
      batch += records[last]
    }
    if maxBytes > 0, size > 0, size + Int64(batch.count) > maxBytes {
      // Somebody else may have emptied it since, as logrotate's copytruncate does.
      size = System.size(descriptor)
      if size > 0, size + Int64(batch.count) > maxBytes { rotate() }
    }
    let count = System.append(descriptor, batch)
    guard count > 0 else {
      if count < 0 { failed("write") }
      return false
    }
    size += Int64(count)
    (trouble, told, wasThere) = ("", "", true)
    waitingBytes -= count
    var left = count
    while first <= last, left >= records[first].count {
      left -= records[first].count
      first += 1
    }
    if left > 0 { records[first].removeFirst(left) }
    return count == batch.count
  }

  private func failed(_ call: StaticString) {
    trouble = "\(destination.text) takes nothing: \(SystemError(call).reason)"
    closeDescriptor()
    pause = System.now() &+ LogTarget.retry
  }

  // MARK: Opening

  /// Opens it; keeps any problem to be reported.
  @discardableResult
  func open() -> Bool {
    guard descriptor < 0 else { return true }
    guard System.now() >= pause else { return false }
    do throws(SystemError) {
      switch destination.place {
      case .standard: return true
      case .file(let path, _, _):
        descriptor = try System.openLogEnd(path)
        size = System.size(descriptor)
      case .socket(let address), .remoteSyslog(let address, _, _): try connect(address)
      case .syslog(_, _, let path), .journal(_, let path): try connect(.unix(path: path))
      }
    } catch {
      trouble = "\(destination.text) cannot be opened: \(System.guardedReason(error))"
      pause = System.now() &+ LogTarget.retry
      return false
    }
    // A destination that takes no lines, such as a full disk, can often be opened all the same: it is
    // reported again only when it has taken a line since.
    if isReachable() { trouble = "" }
    return true
  }

  /// Whether somebody is there to take datagrams, as far as can be known; keeps any problem to be reported.
  private func isReachable() -> Bool {
    guard let address else { return true }
    let error = System.reach(address)
    if error != 0 { trouble = "\(destination.text) is not there: \(String(cString: strerror(error)))" }
    return error == 0
  }

  private func connect(_ wanted: Address) throws(SystemError) {
    let name = try SocketName(wanted)
    descriptor = try System.datagramSocket(name)
    address = name
  }

  private func closeDescriptor() {
    if descriptor >= 0 { System.close(descriptor) }
    descriptor = -1
  }

  /// Reopens it by name. Creates a file that no longer exists.
  func reopen() {
    if isWaiting { flush() }
    closeDescriptor()
    pause = 0
    open()
  }

  /// The file has reached its size: renames it and begins another one.
  private func rotate() {
    guard case .file(let path, _, _) = destination.place else { return }
    let name = backup ?? System.unusedName("\(path).\(System.seconds())")
    do throws(SystemError) { try System.rename(descriptor, path, to: name) } catch {
      trouble = "\(path) cannot be renamed to \(name): \(System.guardedReason(error))"
      // Not at every line.
      return size = 0
    }
    closeDescriptor()
    pause = 0
    open()
  }
}

/// The severity of a line.
enum LogLevel: String {
  case trace, debug, info, notice, warning, error, critical

  /// The number in syslog (RFC 5424 §6.2.1).
  var severity: Int {
    switch self {
    case .trace, .debug: 7
    case .info: 6
    case .notice: 5
    case .warning: 4
    case .error: 3
    case .critical: 2
    }
  }
}
