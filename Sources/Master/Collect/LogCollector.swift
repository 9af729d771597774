import Config
import Control
import Glibc
import Posix

/// The process that distributes the lines of all others: it reads what they write to standard error and,
/// separately, the lines of requests, and passes each on to where it belongs. Whatever a destination does, it
/// keeps reading, so that nobody who writes a line waits.
public struct LogCollector {
  private let routing: LogRouting
  private let link: Int32
  private let errors: LineReader
  private let requests: LineReader
  private let targets: [LogTarget]
  private let requestTargets: [LogTarget]
  private var told = 0
  private var nextTelling: UInt64 = 0
  /// The master has said that it is time to end.
  private var isEnding = false
  /// The master is gone: those that still write are served to the end.
  private var isAlone = false

  /// Nanoseconds between two reports of lost lines.
  private static let tellingPause: UInt64 = 1_000_000_000
  /// Milliseconds after which destinations that cannot be waited for are tried again.
  private static let retryMilliseconds: Int32 = 50
  /// Milliseconds that slow destinations have at the end.
  private static let lastMilliseconds: Int32 = 500

  /// - Parameters:
  ///   - errors: the end of the pipe that is standard error elsewhere.
  ///   - requests: the same for lines of requests.
  ///   - link: to the master.
  public init(_ settings: LogSettings, errors: Int32, requests: Int32, link: Int32) {
    let routing = settings.routing
    (self.routing, self.link) = (routing, link)
    (self.errors, self.requests) = (LineReader(errors), LineReader(requests))
    var targets = routing.destinations.map { LogTarget($0, routing) }
    if !targets.contains(where: { $0.destination.name == nil }) {
      targets.append(LogTarget(Self.usual(settings), routing))
    }
    self.targets = targets
    requestTargets = routing.requestDestinations.map { LogTarget($0, routing) }
  }

  /// The destination of lines that are routed nowhere else: the file of `--logto` if it has a bound,
  /// otherwise this process's standard error.
  private static func usual(_ settings: LogSettings) -> LogDestination {
    guard let path = settings.file, settings.routing.maxBytes > 0 else {
      return LogDestination(.standard, text: "stdio")
    }
    return LogDestination(.file(path: path, maxBytes: 0, backup: nil), text: path)
  }

  private var all: [LogTarget] { targets + requestTargets }

  /// Distributes until all writers are gone, or the master says that it is over; returns the exit code.
  public mutating func run() -> Int32 {
    System.ignoreSignals([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGPIPE])
    for target in all { target.open() }
    while true {
      wait()
      heedMaster()
      let haveErrors = errors.isOpen && pass(errors, isRequest: false)
      let haveRequests = requests.isOpen && pass(requests, isRequest: true)
      flush()
      tell()
      guard errors.isOpen || requests.isOpen else { break }
      if isEnding, !haveErrors, !haveRequests { break }
    }
    for _ in 0..<(LogCollector.lastMilliseconds / 10) {
      guard all.contains(where: \.isWaiting) || LogBacklog.isWaiting else { break }
      System.pause(milliseconds: 10)
      flush()
    }
    return 0
  }

  private func flush() {
    for target in all { target.flush() }
    LogSink.shared.flush()
  }

  private func wait() {
    var entries = [pollfd(fd: isEnding || isAlone ? -1 : link, events: Int16(POLLIN), revents: 0)]
    for reader in [errors.descriptor, requests.descriptor] {
      entries.append(pollfd(fd: reader, events: Int16(POLLIN), revents: 0))
    }
    entries += all.compactMap(\.waitsFor).map { pollfd(fd: $0, events: Int16(POLLOUT), revents: 0) }
    let isTrying = LogBacklog.isWaiting || all.contains { $0.isWaiting && $0.waitsFor == nil }
    let rest: Int32 = all.contains(where: \.hasNews) ? 1000 : -1
    System.wait(&entries, milliseconds: isTrying ? LogCollector.retryMilliseconds : isEnding ? 0 : rest)
  }

  // MARK: The master

  private mutating func heedMaster() {
    while !isEnding, !isAlone {
      do throws(SystemError) {
        let (bytes, descriptor) = try System.receiveGift(link)
        defer { if descriptor >= 0 { System.close(descriptor) } }
        switch Message(bytes)?.verb {
        case .reopen: reopen(descriptor)
        case .stop: isEnding = true
        case .beat: try? System.sendPacket(link, Message(.beat).bytes)
        case nil where bytes.isEmpty: isAlone = true
        default: break
        }
      } catch {
        if !error.isMomentary { isAlone = true }
        return
      }
    }
  }

  /// The master has reopened a log, which takes the place of standard error; -1 for none.
  private func reopen(_ descriptor: Int32) {
    if descriptor >= 0 {
      LogSink.shared.flush()
      System.becomeErrors(descriptor)
    }
    for target in all { target.reopen() }
  }

  // MARK: Lines

  /// Passes on the lines that have come; false when none have.
  private func pass(_ reader: LineReader, isRequest: Bool) -> Bool {
    reader.read { line in distribute(LogRecord(line, isRequest: isRequest), isRequest: isRequest) }
  }

  private func distribute(_ record: LogRecord, isRequest: Bool) {
    guard record.isServers || isWanted(record.bytes) else { return }
    let own = isRequest && !(routing.requestDestinations.isEmpty && routing.requestRoutes.isEmpty)
    let among = own && !requestTargets.isEmpty ? requestTargets : targets
    let routes = own ? routing.requestRoutes : routing.routes
    var isTaken = false
    for route in routes where record.bytes.withUnsafeBytes({ route.pattern.matches($0) }) {
      for target in all where target.destination.name == route.name {
        give(record, to: target, isRequest)
        isTaken = true
      }
    }
    guard !isTaken else { return }
    for target in among where target.destination.name == nil { give(record, to: target, isRequest) }
  }

  /// No drain discards the line, and a filter, if there are any, lets it through.
  private func isWanted(_ line: [UInt8]) -> Bool {
    line.withUnsafeBytes { bytes in
      !routing.drains.contains { $0.matches(bytes) }
        && (routing.filters.isEmpty || routing.filters.contains { $0.matches(bytes) })
    }
  }

  private func give(_ record: LogRecord, to target: LogTarget, _ isRequest: Bool) {
    target.take(record.encoded(encoders(isRequest), for: target.destination.name), record.level)
  }

  private func encoders(_ isRequest: Bool) -> [LogEncoder] {
    guard isRequest else { return routing.encoders }
    // Request lines without a destination of their own are lines like any others; in JSON format they already
    // are JSON.
    if routing.isJSON || !routing.requestDestinations.isEmpty || !routing.requestEncoders.isEmpty {
      return routing.requestEncoders
    }
    return routing.encoders
  }

  // MARK: Lost lines

  /// Once a second: reports what is wrong with destinations, on standard error and wherever lines still go.
  private mutating func tell() {
    let now = System.now()
    guard now >= nextTelling else { return }
    nextTelling = now &+ LogCollector.tellingPause
    for target in all {
      let lost = target.takeUntold()
      if let trouble = target.takeTrouble() { say("log: \(trouble)") }
      if lost > 0 {
        say("log: \(lost) lines were dropped: \(target.destination.text) did not take them in time")
      }
    }
    let drops = all.reduce(LogSink.shared.drops) { $0 + $1.drops }
    guard drops != told else { return }
    told = drops
    try? System.sendPacket(link, Message(.lost, [.init("count", "\(drops)")]).bytes)
  }

  private func say(_ text: String) {
    let line = LogLine.text("warning", Printable.text(text))
    let record = LogRecord(Array(line.utf8.dropLast())[...])
    for target in targets where target.destination.name == nil { give(record, to: target, false) }
    let isShown = targets.contains { $0.destination.name == nil && $0.destination.place == .standard }
    if !isShown { LogLine.show(line) }
  }
}

/// A pipe that brings lines.
final class LineReader {
  /// -1 at its end.
  private(set) var descriptor: Int32
  /// A line whose end has not come yet.
  private var part: [UInt8] = []
  private var buffer = [UInt8](repeating: 0, count: 65536)
  /// Bytes of a line after which another one begins.
  private static let longest = 1 << 16

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  var isOpen: Bool { descriptor >= 0 }

  /// Hands over the lines that have come, without their newlines; false when nothing has.
  func read(_ take: (ArraySlice<UInt8>) -> Void) -> Bool {
    let count = System.readPipe(descriptor, &buffer)
    guard count >= 0 else { return false }
    guard count > 0 else {
      if !part.isEmpty { take(part[...]) }
      (part, descriptor) = ([], -1)
      return true
    }
    var rest = buffer[..<count]
    while let end = rest.firstIndex(of: 0x0a) {
      if part.isEmpty {
        take(rest[..<end])
      } else {
        take((part + rest[..<end])[...])
        part = []
      }
      rest = rest[(end + 1)...]
    }
    part += rest
    if part.count > LineReader.longest {
      take(part[...])
      part = []
    }
    return true
  }
}

/// One line, escaped, and what it says about itself.
struct LogRecord {
  /// The line without its newline.
  let bytes: [UInt8]
  /// The severity that it states; info for a line that states none, such as an application's own output.
  let level: LogLevel
  /// Where its text begins after time and level.
  private let textStart: Int
  /// An announcement or warning from the server to its operator: drains are not meant for it.
  let isServers: Bool

  /// Makes a record of anything that a process wrote: nothing in it moves a cursor or ends a line.
  ///
  /// - Parameter isRequest: a line of the request log, which in an operator's format may begin with a
  ///   client's words: none of it counts as the server's own.
  init(_ line: ArraySlice<UInt8>, isRequest: Bool = false) {
    if line.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) {
      bytes = Array(line)
    } else {
      bytes = Array(line.withUnsafeBytes { Printable.text($0) }.utf8)
    }
    let head = isRequest ? nil : LogRecord.head(bytes)
    (level, textStart) = head ?? (.info, 0)
    let isSentence = line.starts(with: "server: ".utf8)
    let isGrave = head.map { $0.0 == .warning || $0.0 == .error } ?? false
    isServers = !isRequest && (isSentence || isGrave)
  }

  /// "2026-01-01T00:00:00Z warning: " in front of a text.
  private static func head(_ bytes: [UInt8]) -> (LogLevel, Int)? {
    let dateCount = 20
    guard bytes.count > dateCount + 2, bytes[10] == UInt8(ascii: "T"), bytes[19] == UInt8(ascii: "Z"),
      bytes[dateCount] == 0x20, let colon = bytes[dateCount...].prefix(12).firstIndex(of: UInt8(ascii: ":")),
      let level = LogLevel(rawValue: String(decoding: bytes[(dateCount + 1)..<colon], as: UTF8.self)),
      colon + 1 < bytes.count, bytes[colon + 1] == 0x20
    else { return nil }
    return (level, colon + 2)
  }

  /// What the encoders make of it for a destination of this name.
  func encoded(_ encoders: [LogEncoder], for name: String?) -> [UInt8] {
    var (line, text) = (bytes, bytes[textStart...])
    for encoder in encoders where encoder.name == nil || encoder.name == name {
      var result: [UInt8] = []
      for piece in encoder.pieces { append(piece, encoder.isJSON, line, text, to: &result) }
      (line, text) = (result, result[...])
    }
    return line
  }

  private func append(
    _ piece: LogEncoder.Piece, _ isJSON: Bool, _ line: [UInt8], _ text: ArraySlice<UInt8>,
    to result: inout [UInt8]
  ) {
    func put(_ bytes: some Sequence<UInt8>) {
      let bytes = Array(bytes)
      guard isJSON else { return result += bytes }
      bytes.withUnsafeBytes { Printable.json($0) { result += $0 } }
    }
    let now = System.wallClock()
    switch piece {
    case .text(let bytes): result += bytes
    case .line: put(line)
    case .message: put(text)
    case .level: put(level.rawValue.utf8)
    case .unix: put("\(now.seconds)".utf8)
    case .micros: put("\(now.microseconds)".utf8)
    case .iso: put(System.date("%Y-%m-%dT%H:%M:%SZ", isUTC: true).utf8)
    case .date(let pattern): put(System.date(pattern).utf8)
    }
  }
}
