import Glibc

/// A call's permit to be under way: an app gives out a limited number at once (`--threads`). While a call
/// waits for its client, to send more of a body or to take more of an answer, it does no work, and another
/// one gets its permit: otherwise a few slow clients could occupy an app alone.
enum CallPermit {
  /// The call counts. May become offered.
  case held
  /// It waits for its client; the leader has not heard of it. May become given, held.
  case offered
  /// It does not count. May become wanted, held.
  case given
  /// Its client has come back, and it waits until it counts again. Becomes held.
  case wanted
}

extension Worker {
  /// Seconds that a call waits for its client before it offers its permit: most waits are over sooner.
  static let keepsPermitSeconds = 0.05

  // MARK: The call's side, under the exchange's lock

  /// The call waits. Only its own thread can offer its permit; an app that is called one at a time keeps it.
  func offerPermit(_ exchange: ExchangePointer) {
    guard exchange.permit == .held, exchange.state.owner == .detached,
      exchange.calls.unsafelyUnwrapped.limit > 1,
      pthread_equal(exchange.thread, pthread_self()) != 0
    else { return }
    exchange.permit = .offered
    inbox.post(.offersPermit(exchange))
  }

  /// The call goes on, once it counts again.
  func regainPermit(_ exchange: ExchangePointer) {
    guard pthread_equal(exchange.thread, pthread_self()) != 0 else { return }
    switch exchange.permit {
    case .held: return
    case .offered: exchange.permit = .held
    case .given, .wanted:
      exchange.permit = .wanted
      inbox.post(.wantsPermit(exchange))
      while exchange.permit == .wanted { exchange.lock.wait() }
    }
  }

  // MARK: The leader's side

  /// A call offers its permit: another one gets it. That many can wait at once, because each has a thread.
  func takePermit(_ exchange: ExchangePointer) -> Turn {
    let calls = exchange.calls.unsafelyUnwrapped
    exchange.lock.lock()
    let isOffered = exchange.permit == .offered
    let isTaken = isOffered && calls.absent < limits.waitingCalls
    if isOffered { exchange.permit = isTaken ? .given : .held }
    exchange.lock.unlock()
    guard isTaken else { return .goesOn }
    calls.active -= 1
    calls.absent += 1
    return serveQueue(calls)
  }

  /// A call wants its permit back; one that was cancelled gets it whatever else is under way.
  func returnPermit(_ exchange: ExchangePointer) {
    let calls = exchange.calls.unsafelyUnwrapped
    let isFree = calls.active < calls.limit
    if isFree || exchange.state.isAbandoned {
      count(exchange, calls)
    } else {
      calls.app.returning.append(exchange)
    }
  }

  /// Calls that have come back go before those that have not begun.
  func returnPermits(_ calls: AppCallsPointer) {
    let app = calls.app
    while calls.active < calls.limit, !app.returning.isEmpty {
      count(app.returning.removeFirst(), calls)
    }
  }

  /// A call is cancelled: it must not wait for its permit.
  func returnPermitNow(_ exchange: ExchangePointer) {
    let app = app(exchange)
    guard let index = app.returning.firstIndex(of: exchange) else { return }
    app.returning.remove(at: index)
    count(exchange, app.calls)
  }

  private func count(_ exchange: ExchangePointer, _ calls: AppCallsPointer) {
    calls.active += 1
    calls.absent -= 1
    exchange.lock.lock()
    exchange.permit = .held
    exchange.lock.broadcast()
    exchange.lock.unlock()
  }
}
