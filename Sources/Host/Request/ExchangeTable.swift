/// The table of `ExchangeState`: what each event makes of each of its parts. A part that an event does not
/// concern stays as it is, and so does one in which the event does not apply.
///
/// Transparent, so that an event known when the server is built leaves only its own row before the compiler
/// counts how large the callers are: otherwise it stops inlining (measured: 150 instructions per request).
extension ExchangeState.Owner {
  @_transparent
  func after(_ event: ExchangeState.Event) -> ExchangeState.Owner {
    switch event {
    case .called:
      switch self {
      case .leader: .app
      case .app, .host, .detached, .asynchronous, .over: self
      }
    case .entered:
      switch self {
      case .app: .host
      case .leader, .host, .detached, .asynchronous, .over: self
      }
    case .left:
      switch self {
      case .host: .app
      case .leader, .app, .detached, .asynchronous, .over: self
      }
    case .overdue:
      switch self {
      case .app: .detached
      // Never interrupts what is inside the host.
      case .leader, .host, .detached, .asynchronous, .over: self
      }
    case .leftLoop:
      switch self {
      case .host: .detached
      case .leader, .app, .detached, .asynchronous, .over: self
      }
    case .returned:
      switch self {
      case .app: .leader
      // Its thread takes the lock and says `completed`.
      case .leader, .host, .detached, .asynchronous, .over: self
      }
    case .wentAsync:
      switch self {
      case .host, .detached: .asynchronous
      case .leader, .app, .asynchronous, .over: self
      }
    case .settled:
      switch self {
      case .host: .leader
      case .leader, .app, .detached, .asynchronous, .over: self
      }
    case .finished:
      switch self {
      case .asynchronous: .over
      case .leader, .app, .host, .detached, .over: self
      }
    case .completed:
      switch self {
      case .detached: .over
      case .leader, .app, .host, .asynchronous, .over: self
      }
    case .cameBack:
      switch self {
      case .over: .leader
      case .leader, .app, .host, .detached, .asynchronous: self
      }
    case .ended: .leader
    case .begun, .served, .aborted, .headEncoded, .answerEncoded, .cut, .unsendable, .bodyBroke, .clientLeft,
      .timeOver, .graceOver:
      self
    }
  }

  /// What an event that moves the call asks for.
  @_transparent
  func action(for event: ExchangeState.Event) -> ExchangeState.Action {
    switch event {
    case .entered:
      switch self {
      case .app: .goOn
      case .host: .tryAgain
      case .detached, .asynchronous: .takeLock
      case .leader, .over: .refuse
      }
    case .left:
      switch self {
      case .host: .goOn
      case .leader, .app, .detached, .asynchronous, .over: .refuse
      }
    case .overdue:
      switch self {
      case .app: .vacate
      case .leader, .host, .detached, .asynchronous, .over: .refuse
      }
    case .leftLoop:
      switch self {
      case .host: .vacate
      case .leader, .app, .detached, .asynchronous, .over: .refuse
      }
    case .returned:
      switch self {
      case .app: .answer
      case .host: .tryAgain
      case .detached: .answerOffLoop
      case .leader, .asynchronous, .over: .refuse
      }
    case .wentAsync:
      switch self {
      case .host, .detached: .park
      case .leader, .app, .asynchronous, .over: .refuse
      }
    case .settled:
      switch self {
      case .host: .answer
      case .leader, .app, .detached, .asynchronous, .over: .refuse
      }
    case .finished:
      switch self {
      case .app, .host, .detached: .remember
      case .asynchronous: .answerOffLoop
      case .leader, .over: .refuse
      }
    case .completed:
      switch self {
      case .detached: .answerOffLoop
      case .leader, .app, .host, .asynchronous, .over: .refuse
      }
    case .begun, .called, .served, .aborted, .headEncoded, .answerEncoded, .cut, .unsendable, .bodyBroke,
      .clientLeft, .timeOver, .graceOver, .cameBack, .ended:
      .goOn
    }
  }
}

extension ExchangeState.Client {
  @_transparent
  func after(_ event: ExchangeState.Event) -> ExchangeState.Client {
    switch event {
    case .bodyBroke:
      switch self {
      case .here: .lost
      case .lost, .told, .givenUp: self
      }
    case .clientLeft, .timeOver:
      switch self {
      case .here, .lost: .told
      case .told, .givenUp: self
      }
    case .graceOver:
      switch self {
      case .told: .givenUp
      case .here, .lost, .givenUp: self
      }
    case .ended: .here
    case .begun, .called, .served, .aborted, .entered, .left, .overdue, .leftLoop, .returned, .wentAsync,
      .settled, .finished, .completed, .cameBack, .headEncoded, .answerEncoded, .cut, .unsendable:
      self
    }
  }
}

extension ExchangeState.Phase {
  /// - Parameter owner: before the event.
  @_transparent
  func after(_ event: ExchangeState.Event, _ owner: ExchangeState.Owner) -> ExchangeState.Phase {
    switch event {
    case .begun:
      switch self {
      case .free: .reading
      case .reading, .called, .responding, .finished, .gone: self
      }
    case .called, .served:
      switch self {
      case .reading: .called
      case .free, .called, .responding, .finished, .gone: self
      }
    case .aborted:
      switch self {
      case .reading: .finished
      case .free, .called, .responding, .finished, .gone: self
      }
    case .headEncoded:
      switch self {
      case .called: .responding
      case .free, .reading, .responding, .finished, .gone: self
      }
    case .answerEncoded:
      switch self {
      case .called, .responding: .finished
      case .free, .reading, .finished, .gone: self
      }
    case .cut, .unsendable:
      switch self {
      // The part of the request that is there still gets its call.
      case .free, .reading: self
      case .called, .responding, .finished, .gone: .gone
      }
    case .timeOver:
      switch self {
      case .free, .reading: self
      // Once it is over, everything has been said.
      case .called, .responding, .finished: owner == .over ? self : .gone
      case .gone: .gone
      }
    case .ended: .free
    case .entered, .left, .overdue, .leftLoop, .returned, .wentAsync, .settled, .finished, .completed,
      .cameBack, .bodyBroke, .clientLeft, .graceOver:
      self
    }
  }
}
