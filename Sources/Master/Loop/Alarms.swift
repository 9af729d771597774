/// The master's pending actions, in order of time. There are few: an array will do.
struct Alarms {
  /// The action to take.
  enum Action: Equatable {
    /// What the releases wait for.
    case releases(ReleaseAlarm)
    /// A zygote that has ended may be started again.
    case zygote(Int)
    /// A worker has served long enough.
    case lifetime(worker: Int)
    /// A staging child should be done.
    case stageTimeout(job: Int)
    /// A worker should have written its state.
    case saveTimeout(worker: Int)
    /// Workers should have shown what their requests are doing.
    case stacks(client: Int)
    /// Workers may remember enough requests for a replay.
    case gather(ticket: Int)
    /// Workers should have handed over what they remember.
    case recall(ticket: Int)
    /// Clients of the control socket may be taken again.
    case clients
    /// The control socket may be bound again.
    case control
    /// The last processes that were killed should have ended.
    case last
    /// The process that distributes lines should have answered.
    case collectorBeat
    /// Programs that were told to end should have ended.
    case programsEnd
    /// The process that shows figures may be started again.
    case watcher
    /// Look at the scoreboards.
    case look
    /// Files have stopped changing.
    case settled
    /// A program that runs beside the server may be started again.
    case program(place: Int)
    /// A program has used up its time.
    case programTime(Int)
    /// A minute begins.
    case minute
    case keeper
    /// Session tickets get another key.
    case tickets
    /// Actions that workers have asked for in the meantime may be taken.
    case renewal
    /// Another process that distributes lines may be started.
    case collector
  }

  private var list: [(due: UInt64, action: Action)] = []

  /// Sets an alarm, in nanoseconds from now, replacing an equal one.
  mutating func set(_ action: Action, in nanoseconds: UInt64) {
    cancel(action)
    list.append((System.now() &+ nanoseconds, action))
  }

  /// Sets an alarm in seconds.
  mutating func set(_ action: Action, seconds: Double) { set(action, in: UInt64(seconds * 1e9)) }

  /// Cancels an alarm.
  mutating func cancel(_ action: Action) { list.removeAll { $0.action == action } }

  /// Milliseconds until the next one is due; -1 without any.
  var wait: Int32 {
    guard let next = list.map(\.due).min() else { return -1 }
    let now = System.now()
    return next <= now ? 0 : Int32(min((next - now) / 1_000_000 + 1, 60_000))
  }

  /// The next action that is due.
  mutating func next() -> Action? {
    let now = System.now()
    guard let index = list.indices.min(by: { list[$0].due < list[$1].due }), list[index].due <= now else {
      return nil
    }
    return list.remove(at: index).action
  }
}
