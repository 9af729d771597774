import Config

/// How many workers serve: as many as the work asks for, between `--cheaper` and `--processes`. A value type:
/// it holds no process, clock or socket. It is told once a second how busy the workers are, and answers with
/// another number when the number should change.
struct Cheaper {
  /// The state of the server at one look.
  struct Look {
    /// Places that serve.
    var serving: Int
    /// Those of them in which every worker has a request.
    var busy: Int
    /// Microseconds that requests have taken since the start, summed over all workers.
    var microseconds: UInt64
    /// Requests since the start.
    var requests: UInt64
    /// Connections wait although every worker was told of them.
    var hasBacklog: Bool
    /// Bytes that all workers hold.
    var residentBytes: Int64
  }

  /// Another number of workers, and why.
  struct Decision: Equatable {
    let workers: Int
    let reason: String
  }

  /// Workers that are to serve.
  private(set) var workers: Int
  private let settings: CheaperSettings
  /// `--processes`.
  private let most: Int
  /// Seconds in a row in which all were busy, and in which more were free than have to be.
  private var full = 0
  private var slack = 0
  /// Seconds in a row with connections that wait.
  private var backlog = 0
  /// Seconds without a request.
  private var quiet = 0
  /// Of the last look.
  private var seen: (microseconds: UInt64, requests: UInt64)?
  /// The current interval of the algorithm `busyness`: its seconds, and its microseconds of requests.
  private var interval = (seconds: 0, microseconds: UInt64(0))
  /// Intervals in a row that were idle, and how many it takes to stop a worker.
  private var idleIntervals = 0
  private var patience: Int
  /// The last decision was to stop a worker, this many intervals ago.
  private var sinceStop: Int?

  /// - Parameter present: how many serve already, by other rules or in a previous master.
  init(_ settings: CheaperSettings, most: Int, present: Int? = nil) {
    (self.settings, self.most) = (settings, most)
    let least = settings.least ?? (settings.initial == nil ? most : 1)
    workers = min(max(present ?? settings.initial ?? least, least), most)
    patience = settings.busynessMultiplier
  }

  /// Whether it follows the same rules, whatever it has seen.
  func follows(_ settings: CheaperSettings, most: Int) -> Bool {
    self.settings == settings && self.most == most
  }

  private var least: Int { min(settings.least ?? 1, most) }
  /// Workers are stopped for want of work, not for want of requests alone.
  private var stopsFree: Bool { settings.least != nil || settings.initial != nil }

  /// Once a second: whether there should be another number of workers.
  ///
  /// - Parameter isSettled: the workers that were last asked for serve, and the surplus ones no longer do.
  mutating func look(_ look: Look, isSettled: Bool = true) -> Decision? {
    let worked = UInt64(look.microseconds &- (seen?.microseconds ?? look.microseconds))
    let came = UInt64(look.requests &- (seen?.requests ?? look.requests))
    seen = (look.microseconds, look.requests)
    quiet = came == 0 && look.busy == 0 && !look.hasBacklog ? quiet + 1 : 0
    backlog = look.hasBacklog ? backlog + 1 : 0
    full = look.busy >= look.serving && look.serving > 0 ? full + 1 : 0
    slack = look.serving - look.busy > least ? slack + 1 : 0
    if let hard = hardLimit(look) { return hard }
    if settings.idleSeconds > 0, quiet >= settings.idleSeconds, workers > least {
      return set(least, "no request for \(settings.idleSeconds) s (--idle)")
    }
    guard isSettled else { return nil }
    let decision = settings.algorithm == .spare ? spare(look) : busyness(look, worked)
    guard let decision else { return nil }
    guard decision.workers > workers, isAboveSoftLimit(look) else {
      return set(decision.workers, decision.reason)
    }
    full = 0
    return nil
  }

  private mutating func set(_ count: Int, _ reason: String) -> Decision? {
    let count = min(max(count, least), most)
    guard count != workers else { return nil }
    workers = count
    (full, slack) = (0, 0)
    return Decision(workers: count, reason: reason)
  }

  // MARK: Memory

  /// Above the hard bound a worker is stopped at each look, as long as another is left.
  private mutating func hardLimit(_ look: Look) -> Decision? {
    guard settings.hardBytes > 0, look.residentBytes > settings.hardBytes, workers > 1 else { return nil }
    workers = max(1, workers - 1)
    return Decision(
      workers: workers,
      reason: "workers hold \(look.residentBytes >> 20) MiB (--cheaper-rss-limit-hard)")
  }

  /// Above the soft bound none is started.
  private func isAboveSoftLimit(_ look: Look) -> Bool {
    settings.softBytes > 0 && look.residentBytes > settings.softBytes
  }

  // MARK: Algorithms

  /// `spare`: some are free at any time.
  private func spare(_ look: Look) -> Decision? {
    if full >= settings.overload, workers < most {
      return Decision(workers: workers + settings.step, reason: "all \(look.serving) workers are busy")
    }
    if stopsFree, slack >= settings.overload, workers > least, !look.hasBacklog {
      return Decision(workers: workers - 1, reason: "\(look.serving - look.busy) workers are free")
    }
    return nil
  }

  /// `busyness`: the share of time that workers spend on requests, over intervals of some seconds.
  private mutating func busyness(_ look: Look, _ worked: UInt64) -> Decision? {
    if workers < most {
      if settings.backlogSeconds > 0, backlog >= settings.backlogSeconds {
        backlog = 0
        return Decision(workers: workers + settings.backlogStep, reason: "connections wait")
      }
    }
    interval.seconds += 1
    interval.microseconds &+= worked
    guard interval.seconds >= settings.overload, look.serving > 0 else { return nil }
    let share = Double(interval.microseconds) / Double(interval.seconds * look.serving) / 10_000
    interval = (0, 0)
    let percent = Int(min(share, 100))
    sinceStop = sinceStop.map { $0 + 1 }
    if percent > settings.busynessMost {
      idleIntervals = 0
      // A worker that was stopped too early is missed at once: the next one is given more time.
      if let since = sinceStop, since <= settings.busynessMultiplier { patience += settings.busynessPenalty }
      sinceStop = nil
      guard workers < most else { return nil }
      return Decision(workers: workers + settings.step, reason: "workers are busy \(percent) % of the time")
    }
    guard percent < settings.busynessLeast else {
      idleIntervals = 0
      return nil
    }
    idleIntervals += 1
    guard stopsFree, idleIntervals >= patience, workers > least else { return nil }
    (idleIntervals, sinceStop) = (0, 0)
    return Decision(workers: workers - 1, reason: "workers are busy \(percent) % of the time")
  }
}
