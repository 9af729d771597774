import Config

/// Decides which refusals get a line of the error log: all of them, as long as they are few. Making the
/// server refuse thousands of requests does not fill a disk: after a handful there is one line per second,
/// and now and then a line that says how many were left out.
struct RefusalLog {
  /// Lines that may be written at once; one more comes with each second.
  private var allowed = Limits.refusalLinesAtOnce
  private var lastSecond: UInt64 = 0
  /// Refusals without a line since the last count was logged, and the time of the first of them.
  private(set) var held = 0
  private var heldSince: UInt64 = 0

  private static let second: UInt64 = 1_000_000_000

  /// A request is refused; returns whether it gets a line.
  mutating func admits(at now: UInt64) -> Bool {
    let seconds = now / RefusalLog.second
    if seconds > lastSecond {
      allowed = Int(min(UInt64(Limits.refusalLinesAtOnce), UInt64(allowed) + (seconds - lastSecond)))
      lastSecond = seconds
    }
    guard allowed == 0 else {
      allowed -= 1
      return true
    }
    if held == 0 { heldSince = now }
    held += 1
    return false
  }

  /// How many refusals had no line, once their time is up; 0 before.
  mutating func takeHeld(at now: UInt64) -> Int {
    guard held > 0, now &- heldSince >= Limits.refusalCountSeconds * RefusalLog.second else { return 0 }
    defer { held = 0 }
    return held
  }
}

/// Lines about requests: those that were answered, and those that were refused.
struct RequestLines: ~Copyable {
  var access: AccessLog
  /// Decides which refusals get a line.
  var refusals = RefusalLog()

  init(access: consuming AccessLog) { self.access = access }
}

/// The limit that a refusal is about: the operator is told the options that set it.
enum RefusalLimit {
  case none, headSize, headTime, bodySize, bodyPace, spools

  /// The limit that most refusals with this status are about; where it is another one, the caller says so.
  init(_ status: Int) {
    switch status {
    case 408: self = .headTime
    case 413: self = .bodySize
    case 414, 431: self = .headSize
    default: self = .none
    }
  }
}

/// What the operator learns about requests that no application has seen.
extension Worker {
  /// Says why a request was refused, and which option is concerned.
  func tellOfRefusal(
    _ connection: ConnectionPointer, _ status: Int, _ sentence: String, _ limit: RefusalLimit
  ) {
    guard requestLines.refusals.admits(at: now) else { return }
    var line = "request refused with \(status) \(place(of: connection)): \(sentence)\(options(of: limit))"
    if let exchange = connection.exchange, !exchange.meta.method.isEmpty {
      line += ": \(exchange.requestLine)"
    }
    log.warning(line)
  }

  /// Says why a connection was closed without an answer.
  func tellOfClose(_ connection: ConnectionPointer, _ sentence: String) {
    guard requestLines.refusals.admits(at: now) else { return }
    log.warning("connection closed \(place(of: connection)): \(sentence)")
  }

  /// Says with each tick how many were left out.
  func tellOfHeldRefusals() {
    let count = requestLines.refusals.takeHeld(at: now)
    if count > 0 { log.warning("\(count) further requests and connections were refused") }
  }

  /// "at uwsgi socket 127.0.0.1:3031 for 10.0.0.7".
  private func place(of connection: ConnectionPointer) -> String {
    let index = Int(connection.listener)
    guard connection.gateway.hasSocket, index < listeners.count else { return "under CGI" }
    let peer = connection.peer.text
    return "at \(listeners[index].title)" + (peer.isEmpty ? "" : " for \(peer)")
  }

  /// The options that set a limit, with their values.
  private func options(of limit: RefusalLimit) -> String {
    switch limit {
    case .none: ""
    case .headSize: " (--buffer-size \(limits.headBytes), --max-vars \(limits.headerFields))"
    case .headTime: " (--header-timeout)"
    case .bodySize: " (--limit-post \(limits.bodyBytes))"
    case .bodyPace: " (--body-timeout, --body-min-rate)"
    case .spools: " (--spool-max \(limits.spoolBytes))"
    }
  }
}
