import Control

/// The answers to HAProxy's agent checks, one line each (HAProxy 2.6 configuration manual, section 5.2,
/// "agent-check"): whether the server takes requests, and the share of its configured weight that it should
/// have. Values only: the caller does the talking.
struct AgentCheck {
  /// How the server should be used.
  enum State: Equatable {
    /// It takes requests; its weight is this many percent of the configured one, 1 to 100.
    case up(weight: Int)
    /// It will stop, and answers what still comes: nothing new should be sent.
    case drain
    /// Its sockets are closed, and its workers give their last answers: nobody can connect.
    case maintenance
    /// No worker serves.
    case stopped

    /// The line for HAProxy. HAProxy changes only the states that a line names, and only the agent may take
    /// back what the agent has said, so each line names both the operational and the administrative state if
    /// they have to change together. In maintenance HAProxy asks for nothing but the agent: "up ready" of the
    /// server that is started next ends it, and whether this one was up no longer matters.
    var line: String {
      switch self {
      case .up(let weight): "up ready \(weight)%\n"
      case .drain: "up drain\n"
      case .maintenance: "maint\n"
      case .stopped: "stopped#no worker serves\n"
      }
    }
  }

  /// The shortest time over which the load is measured, in milliseconds: it keeps the weight steady, however
  /// often it is asked for.
  static let interval = 1000

  /// The look from which the load is measured.
  private var base: (clock: Int, busy: Int)?
  private var weight = 100

  /// The line for the server's current state.
  mutating func line(_ snapshot: Snapshot) -> String { state(snapshot).line }

  /// How the server should be used.
  mutating func state(_ snapshot: Snapshot) -> State {
    measure(snapshot)
    if snapshot.hasClosed { return .maintenance }
    if snapshot.isLeaving { return .drain }
    return snapshot.workers.contains { $0.state == "serving" } ? .up(weight: weight) : .stopped
  }

  /// Measures which share of the workers' possible calls was free since the last look. The time that requests
  /// have taken, including running ones, grows by exactly the time in which they were served, so that neither
  /// short nor long requests are missed.
  private mutating func measure(_ snapshot: Snapshot) {
    guard let base, snapshot.clock >= base.clock else { return self.base = (snapshot.clock, snapshot.busy) }
    let milliseconds = snapshot.clock - base.clock
    guard milliseconds >= AgentCheck.interval else { return }
    // The running requests of a worker that died are lost from the count.
    let served = Double(max(0, snapshot.busy - base.busy)) / 1000
    let busy = served / (Double(milliseconds) * Double(max(1, snapshot.capacity)))
    weight = min(max(Int((100 * (1 - busy)).rounded()), 1), 100)
    self.base = (snapshot.clock, snapshot.busy)
  }
}
