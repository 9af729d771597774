import Synchronization

/// Where an exchange keeps its state, each part in an atomic word: the owner, which the watchdog and threads
/// of an app look at and race for, and the others, which the holder of the exchange writes. None of it is
/// ever accessed exclusively: another thread may be at the owner.
///
/// The words are plain raw values, so that reading one checks nothing.
struct ExchangeWord: ~Copyable {
  private let word = Atomic<UInt8>(ExchangeState.Owner.leader.rawValue)
  private let clientWord = Atomic<UInt8>(ExchangeState.Client.here.rawValue)
  private let phaseWord = Atomic<UInt8>(ExchangeState.Phase.free.rawValue)

  @inline(__always)
  var client: ExchangeState.Client {
    unsafeBitCast(clientWord.load(ordering: .relaxed), to: ExchangeState.Client.self)
  }

  @inline(__always)
  var phase: ExchangeState.Phase {
    unsafeBitCast(phaseWord.load(ordering: .relaxed), to: ExchangeState.Phase.self)
  }

  /// Any thread.
  @inline(__always)
  var owner: ExchangeState.Owner {
    unsafeBitCast(word.load(ordering: .relaxed), to: ExchangeState.Owner.self)
  }

  /// Off the loop: connection and pools belong to the leader, except the output.
  @inline(__always)
  var isDetached: Bool {
    owner.rawValue >= ExchangeState.Owner.detached.rawValue
  }

  /// Nothing more may be asked of it.
  @inline(__always)
  var isOver: Bool { owner == .over }

  /// The client is gone or the time is over, as the leader has seen it.
  @inline(__always)
  var isAbandoned: Bool { client != .here }

  /// The thread that holds the exchange: does what the table says about an event.
  @_transparent
  @discardableResult
  func next(_ event: ExchangeState.Event) -> ExchangeState.Action {
    let before = ExchangeState(owner, client, phase)
    var state = before
    let action = state.next(event)
    if state.client != before.client { clientWord.store(state.client.rawValue, ordering: .relaxed) }
    if state.phase != before.phase { phaseWord.store(state.phase.rawValue, ordering: .relaxed) }
    // Last, and after everything that was done before: from here on it may belong to another thread.
    if state.owner != before.owner { word.store(state.owner.rawValue, ordering: .releasing) }
    return action
  }

  /// Any thread: does what the table says about an event that changes only the owner, and that other threads
  /// race with. Waits for a thread that is inside the host if the table says so.
  ///
  /// - Parameter likely: the owner that the exchange usually has then.
  @_transparent
  func race(_ event: ExchangeState.Event, likely: ExchangeState.Owner) -> ExchangeState.Action {
    let after = likely.after(event)
    if after != likely {
      let isDone = word.compareExchange(
        expected: likely.rawValue, desired: after.rawValue, ordering: .acquiringAndReleasing
      ).exchanged
      if isDone { return likely.action(for: event) }
    }
    return raceOn(event)
  }

  /// The owner is not the likely one.
  @inline(never)
  private func raceOn(_ event: ExchangeState.Event) -> ExchangeState.Action {
    while true {
      // Sees everything that the previous owner has done: it may have been inside a moment ago.
      let owner = unsafeBitCast(word.load(ordering: .acquiring), to: ExchangeState.Owner.self)
      let (after, action) = (owner.after(event), owner.action(for: event))
      if action == .tryAgain {
        System.yieldThread()
        continue
      }
      if after == owner { return action }
      let isDone = word.compareExchange(
        expected: owner.rawValue, desired: after.rawValue, ordering: .acquiringAndReleasing
      ).exchanged
      if isDone { return action }
    }
  }
}
