import Config
import Glibc

/// Whether a worker takes connections.
enum Admission {
  /// It accepts. May become full, short.
  case open
  /// `--max-connections` are open; it becomes open when the next one closes.
  case full
  /// The system has no descriptor or no memory for another connection; tried again with each tick.
  case short
}

/// How a worker takes connections.
struct Acceptor: ~Copyable {
  /// Whether it accepts connections that wait in the backlogs.
  var admission = Admission.open
  /// When it last said that clients wait there.
  var lines = LinePace()
  /// Connections that it accepts before it lets others go first.
  var left = Worker.acceptsInARow
  /// What its sockets with TLS present.
  var presented: Presented
  /// The last turn, by its time, in which the loop itself has used a key of TLS.
  var lastToil: UInt64 = 0
  /// FCGI_WEB_SERVER_ADDRS (FastCGI §3.2): the only peers that may speak FastCGI to us; nil for all.
  let webServers = System.environmentValue("FCGI_WEB_SERVER_ADDRS").map {
    $0.split(separator: ",").compactMap { IPAddress(parsing: Acceptor.trimmed($0)) }
  }

  /// A member of that list without the blanks around it: one with a blank inside is no address.
  private static func trimmed(_ member: Substring) -> String {
    var text = member.drop { $0 == " " }
    while text.last == " " { text.removeLast() }
    return String(text)
  }
  /// Those whose next step is taken off the loop.
  let handshakes = Handshakes()
  /// Records of connections that are HTTP/2 streams: nobody accepted them.
  private var streams = 0

  init(presented: Presented) { self.presented = presented }

  mutating func streamBegan() { streams += 1 }

  mutating func streamEnded() { streams -= 1 }

  /// How many of so many records are accepted connections.
  @inline(__always)
  func accepted(of records: Int) -> Int { records - streams }
}

/// There is no room for more clients: they stay in the backlog, where the kernel holds them, until there is.
extension Worker {
  /// There may be one more connection.
  @inline(__always)
  var hasRoom: Bool { connections.alive < limits.connections }

  /// Takes no more connections for now. Drops its interest in the sockets, so that the loop does not spin,
  /// and so that other workers are woken instead of this one.
  func leaveInBacklog(_ reason: Admission, _ sentence: @autoclosure () -> String) {
    guard acceptor.admission == .open else { return }
    acceptor.admission = reason
    for listener in listeners { try? reactor.remove(listener.fd) }
    if reason == .short { ownAnswers.files?.closeFiles() }
    if acceptor.lines.allows(now) { log.warning("new clients wait in the backlog: \(sentence())") }
  }

  /// Watches the sockets again.
  func acceptAgain() {
    guard acceptor.admission != .open, !departure.isUnderWay else { return }
    acceptor.admission = .open
    for index in listeners.indices {
      do { try watch(index) } catch {
        // Does no harm if one was left in.
        if error.code != EEXIST { acceptor.admission = .short }
      }
    }
  }

  /// Judges a failure of accept(2): true if it concerned one connection only, and the next may be taken.
  func mayAcceptNext(after error: SystemError) -> Bool {
    switch error.code {
    case EAGAIN: return false
    case _ where error.isOfOneConnection: return true
    case EMFILE, ENFILE: leaveInBacklog(.short, error.reason)
    default: leaveInBacklog(.short, "\(error)")
    }
    return false
  }
}

extension SystemError {
  /// The failure of accept(2) concerns one connection only: its client has left; Linux also reports errors
  /// that it has already met on the network.
  var isOfOneConnection: Bool {
    let codes = [
      ECONNABORTED, EPROTO, ENOPROTOOPT, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENONET, EPERM,
    ]
    return codes.contains(code)
  }
}

/// Lets one line a second through, for lines that clients could cause as often as they like.
struct LinePace {
  static let period: UInt64 = 1_000_000_000
  private var next: UInt64 = 0

  /// Whether a line may be written at `now`, in monotonic nanoseconds.
  mutating func allows(_ now: UInt64) -> Bool {
    guard now >= next else { return false }
    next = now &+ LinePace.period
    return true
  }
}
