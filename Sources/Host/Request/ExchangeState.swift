/// How far a request's exchange is, who may touch it, and how it ends: one table, and nothing outside this
/// file changes a state. Each event has a row for each of the three parts, with every cell written.
///
/// A value: the holder of an exchange keeps its state in an `ExchangeWord`. docs/LIFE_OF_A_REQUEST.md draws
/// the parts from this table, and a test keeps the two in agreement.
struct ExchangeState: Equatable {
  /// Who owns the exchange.
  enum Owner: UInt8, CaseIterable {
    /// No call: the leader reads it, queues it, or has its answer.
    case leader
    /// The leader runs the app, and the loop waits.
    case app
    /// The app has called the host, which works on the connection as the leader would.
    case host
    /// The call goes on off the loop: the owner is whoever holds the exchange's lock.
    case detached
    /// The call has answered NSGI_ASYNC, finish() ends it: the owner is whoever holds the exchange's lock.
    case asynchronous
    /// Off the loop, and nothing more may be asked of it: its response is being completed, or waits for the
    /// leader to take it back.
    case over
  }

  /// What is known about the client while an app has its request.
  enum Client: UInt8, CaseIterable {
    case here
    /// Its body has broken off, and the app has not been told.
    case lost
    /// It has left or its time is over, and the app was told if it could still do something about it.
    case told
    /// The app was told and did not return in time: nobody waits for the call.
    case givenUp
  }

  /// How far request and response have come; each call of an app is allowed only in some of these.
  enum Phase: UInt8, CaseIterable {
    /// In the slab.
    case free
    /// Head or body are coming in, or it waits for a call.
    case reading
    /// The app has it and may start a response; nothing was sent.
    case called
    /// The response head is encoded; body bytes follow it.
    case responding
    /// The response is complete; the app may not have returned yet.
    case finished
    /// The client is gone or the response was cut: anything that the app still writes is dropped.
    case gone
  }

  /// The events of an exchange.
  enum Event: CaseIterable {
    /// The first bytes of a request have come.
    case begun
    /// Its app is called.
    case called
    /// The server answers it itself: a refusal, a file.
    case served
    /// The front end takes it back before an app has seen it (FastCGI §5.4).
    case aborted
    /// A host function begins.
    case entered
    /// A host function that works in the leader's place is done.
    case left
    /// The watchdog finds its call slow.
    case overdue
    /// A host function has to wait: its call leaves the loop.
    case leftLoop
    /// The call has returned.
    case returned
    /// The call has answered NSGI_ASYNC, and this thread is inside the host.
    case wentAsync
    /// The call has answered NSGI_ASYNC, which it may not do, or finish() has come before.
    case settled
    /// finish()
    case finished
    /// A call off the loop has returned.
    case completed
    /// The leader takes it back.
    case cameBack
    /// The head of its response is encoded.
    case headEncoded
    /// All of its response is encoded.
    case answerEncoded
    /// The rest of the response will not come.
    case cut
    /// Nothing can be sent any more.
    case unsendable
    /// Its body has broken off.
    case bodyBroke
    /// The leader has seen that the client is gone; the rest of its request is still read and answered.
    case clientLeft
    /// Nobody waits for its response any more.
    case timeOver
    /// A call that was told has not returned in time.
    case graceOver
    /// The record goes back to the slab.
    case ended
  }

  /// What the thread that brings an event has to do.
  enum Action: CaseIterable {
    /// Nothing else.
    case goOn
    /// Nothing has changed: the event does not apply in this state.
    case refuse
    /// Work under the exchange's lock.
    case takeLock
    /// Another thread is inside: try again.
    case tryAgain
    /// Another thread has to lead.
    case vacate
    /// Complete the response on the loop.
    case answer
    /// Complete the response off the loop, and give the exchange to the leader.
    case answerOffLoop
    /// Rest until finish().
    case park
    /// Keep the result until the call returns.
    case remember
    /// Tell the app.
    case tell
    /// Wait for the call no longer.
    case giveUp
  }

  private(set) var owner = Owner.leader
  private(set) var client = Client.here
  private(set) var phase = Phase.free

  @_transparent
  init(_ owner: Owner = .leader, _ client: Client = .here, _ phase: Phase = .free) {
    (self.owner, self.client, self.phase) = (owner, client, phase)
  }

  /// The only function that writes a state.
  @_transparent
  mutating func next(_ event: Event) -> Action {
    let action = action(for: event)
    if action == .refuse { return action }
    (owner, client, phase) = (owner.after(event), client.after(event), phase.after(event, owner))
    return action
  }

  /// What an event asks for.
  @_transparent
  func action(for event: Event) -> Action {
    switch event {
    case .begun, .called, .served, .aborted, .headEncoded, .answerEncoded, .cut, .unsendable, .bodyBroke,
      .cameBack, .ended:
      .goOn
    case .entered, .left, .overdue, .leftLoop, .returned, .wentAsync, .settled, .finished, .completed:
      owner.action(for: event)
    case .clientLeft, .timeOver:
      switch client {
      case .here, .lost: owner == .over ? .goOn : .tell
      case .told, .givenUp: .goOn
      }
    case .graceOver:
      switch client {
      case .told: owner == .detached ? .giveUp : .refuse
      case .here, .lost, .givenUp: .refuse
      }
    }
  }
}
