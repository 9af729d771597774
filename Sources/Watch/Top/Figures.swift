import Control

/// Figures as people read them: short, with their unit.
enum Figures {
  /// "850 µs", "12 ms", "1.5 s"; a dash for nothing.
  static func time(_ microseconds: Double?) -> String {
    guard let microseconds else { return "-" }
    switch microseconds {
    case ..<1000: return "\(whole(microseconds)) µs"
    case ..<10_000: return "\(tenths(microseconds / 1000)) ms"
    case ..<1_000_000: return "\(whole(microseconds / 1000)) ms"
    default: return "\(tenths(microseconds / 1_000_000)) s"
    }
  }

  /// "12.5", "1234"; a dash for nothing.
  static func rate(_ perSecond: Double?) -> String {
    guard let perSecond else { return "-" }
    return perSecond < 100 ? tenths(perSecond) : "\(whole(perSecond))"
  }

  /// "512 B", "14 MiB".
  static func size(_ bytes: Int) -> String {
    var (value, units) = (Double(bytes), ["B", "KiB", "MiB", "GiB"][...])
    while value >= 1024, units.count > 1 {
      value /= 1024
      units.removeFirst()
    }
    return "\(whole(value)) \(units.first!)"
  }

  /// "12 s", "5 min", "3 h 12 min", "4 d 2 h".
  static func span(_ seconds: Int) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60)
    if days > 0 { return "\(days) d \(hours) h" }
    if hours > 0 { return "\(hours) h \(minutes) min" }
    return minutes > 0 ? "\(minutes) min" : "\(max(0, seconds)) s"
  }

  private static func tenths(_ value: Double) -> String {
    let tenths = whole(value * 10)
    return "\(tenths / 10).\(tenths % 10)"
  }

  /// An integer: workers' figures may be anything, and grow by anything in no time.
  private static func whole(_ value: Double) -> Int { Int(max(-1e15, min(1e15, value)).rounded()) }
}

/// Two looks at a server, and the difference between them.
struct Interval {
  let now: Snapshot
  /// The previous look; nil at first, and when another server answers.
  let before: Snapshot?
  let seconds: Double

  init(_ now: Snapshot, since before: Snapshot?, seconds: Double) {
    let isSame = before?.pid == now.pid && before?.started == now.started
    (self.now, self.before, self.seconds) = (now, isSame ? before : nil, seconds)
  }

  /// What a tally has gained; nil without a previous look.
  func gain(_ tally: Tally, _ old: Tally?) -> Tally? { old.map { tally.since($0) } }

  func rate(_ gain: Tally?) -> Double? { gain.map { Double($0.requests) / max(seconds, 0.001) } }

  func gain(of worker: Snapshot.Worker) -> Tally? {
    gain(worker.tally, before?.workers.first { $0.pid == worker.pid }?.tally)
  }

  func gain(of app: Snapshot.App) -> Tally? {
    gain(app.tally, before?.apps.first { $0.mount == app.mount }?.tally)
  }

  var total: Tally? { gain(now.total, before?.total) }
}
