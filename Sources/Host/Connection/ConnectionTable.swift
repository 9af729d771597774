/// What a connection is doing, and how both of its directions end: one table, and nothing outside this file
/// changes a state. docs/LIFE_OF_A_REQUEST.md draws it, and a test keeps the two in agreement.
extension Connection {
  /// What the connection is doing; decides which timeout runs.
  enum State: UInt8, CaseIterable {
    /// The record is free.
    case closed
    /// Between requests.
    case idle
    /// A request has begun; its head is incomplete.
    case readingHead
    /// The head is there; the body is coming in.
    case readingBody
    /// An application has the request, or it waits in that application's queue, or for its password to be
    /// checked.
    case calling
    /// FastCGI: the answer came before the end of its request, whose rest is read and dropped.
    case skipping
    /// The last answer is complete and waits for the socket.
    case writing
    /// The answer is sent, our side is shut; what still comes in is read and dropped, so that no reset
    /// overtakes the answer.
    case lingering
    /// It belongs to a WebSocket, none of whose handlers is running.
    case upgraded
  }

  /// The direction from the peer.
  enum Incoming: UInt8, CaseIterable {
    /// More may come.
    case open
    /// The ring has received the end, or HTTP/2 that of a stream; not everything that came before has been
    /// served.
    case endReceived
    /// The peer has ended its sending side; what it sent before is still answered.
    case ended
  }

  /// The events of a connection.
  enum Event: CaseIterable {
    /// It was accepted.
    case opened
    /// A request has begun.
    case begun
    /// The bytes that came were not a request.
    case rested
    /// The head of a request is complete.
    case headRead
    /// The request belongs to an app now, or waits for it, or for a password to be checked.
    case called
    /// The password was checked: the request goes on after its head.
    case decided
    /// The answer is encoded, and the next request may be read.
    case answered
    /// The answer is encoded, and the rest of its request has not come.
    case answeredEarly
    /// That rest was read and dropped.
    case readOver
    /// The last answer is encoded, but not all of it is sent.
    case lastAnswer
    /// Everything is sent; our side is shut.
    case shut
    /// A request has become a WebSocket, or one of its handlers has returned.
    case upgraded
    /// The ring has received the peer's end; HTTP/2: that of a stream.
    case endReceived
    /// The peer's end was reached after everything that it had sent.
    case peerEnded
    /// The record is free, or the process ends with it.
    case closed
  }
}

extension Connection.State {
  @_transparent
  func after(_ event: Connection.Event) -> Connection.State {
    switch event {
    case .opened:
      switch self {
      case .closed: .idle
      case .idle, .readingHead, .readingBody, .calling, .skipping, .writing, .lingering, .upgraded: self
      }
    case .begun:
      switch self {
      case .idle: .readingHead
      case .closed, .readingHead, .readingBody, .calling, .skipping, .writing, .lingering, .upgraded: self
      }
    case .rested:
      switch self {
      case .readingHead: .idle
      case .closed, .idle, .readingBody, .calling, .skipping, .writing, .lingering, .upgraded: self
      }
    case .headRead:
      switch self {
      case .readingHead: .readingBody
      case .closed, .idle, .readingBody, .calling, .skipping, .writing, .lingering, .upgraded: self
      }
    case .called:
      switch self {
      case .readingBody, .upgraded: .calling
      case .closed, .idle, .readingHead, .calling, .skipping, .writing, .lingering: self
      }
    case .decided:
      switch self {
      case .calling: .readingBody
      case .closed, .idle, .readingHead, .readingBody, .skipping, .writing, .lingering, .upgraded: self
      }
    case .answered:
      switch self {
      case .readingHead, .readingBody, .calling: .idle
      case .closed, .idle, .skipping, .writing, .lingering, .upgraded: self
      }
    case .answeredEarly:
      switch self {
      case .readingHead, .readingBody, .calling: .skipping
      case .closed, .idle, .skipping, .writing, .lingering, .upgraded: self
      }
    case .readOver:
      switch self {
      case .skipping: .idle
      case .closed, .idle, .readingHead, .readingBody, .calling, .writing, .lingering, .upgraded: self
      }
    case .lastAnswer:
      switch self {
      case .idle, .readingHead, .readingBody, .calling, .skipping, .writing, .upgraded: .writing
      case .closed, .lingering: self
      }
    case .shut:
      switch self {
      case .idle, .readingHead, .readingBody, .calling, .skipping, .writing, .lingering, .upgraded: .lingering
      case .closed: self
      }
    case .upgraded:
      switch self {
      case .readingHead, .readingBody, .calling: .upgraded
      case .closed, .idle, .skipping, .writing, .lingering, .upgraded: self
      }
    case .closed: .closed
    case .endReceived, .peerEnded: self
    }
  }
}

extension Connection.Incoming {
  @_transparent
  func after(_ event: Connection.Event) -> Connection.Incoming {
    switch event {
    case .endReceived:
      switch self {
      case .open: .endReceived
      case .endReceived, .ended: self
      }
    case .peerEnded:
      switch self {
      case .open, .endReceived: .ended
      case .ended: self
      }
    case .closed: .open
    case .opened, .begun, .rested, .headRead, .called, .decided, .answered, .answeredEarly, .readOver,
      .lastAnswer, .shut, .upgraded:
      self
    }
  }
}

extension Outlet {
  /// The direction to the peer.
  enum Way: UInt8, CaseIterable {
    /// The socket takes bytes.
    case open
    /// It took no more; the reactor reports when it does.
    case blocked
    /// The peer is gone: nothing more is sent to it, the connection closes.
    case lost

    /// The events of the outgoing direction.
    enum Event: CaseIterable {
      /// The socket is full.
      case filled
      /// Everything that waited is sent.
      case drained
      /// Nothing can be sent any more.
      case broke
      /// The connection is closed.
      case closed
    }

    @_transparent
    func after(_ event: Event) -> Way {
      switch event {
      case .filled:
        switch self {
        case .open, .blocked: .blocked
        case .lost: .lost
        }
      case .drained:
        switch self {
        case .open, .blocked: .open
        case .lost: .lost
        }
      case .broke:
        switch self {
        case .open, .blocked, .lost: .lost
        }
      case .closed:
        switch self {
        case .open, .blocked, .lost: .open
        }
      }
    }
  }
}
