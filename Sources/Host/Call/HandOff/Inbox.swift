import Glibc

/// What threads beside the loop have to say to the leader, and the bell that wakes it. In order: nothing
/// is said of an exchange after `returned` or `finished`.
///
/// Unchecked: `messages` is guarded by `mutex`.
final class Inbox: @unchecked Sendable {
  enum Message {
    /// A call that was taken off the loop has returned, its response is complete.
    case returned(ExchangePointer)
    /// Such a call has answered NSGI_ASYNC.
    case returnedAsync(ExchangePointer)
    /// finish() has ended an asynchronous exchange.
    case finished(ExchangePointer)
    /// An app has read what had come of its body.
    case wantsBody(ExchangePointer)
    /// The socket is full; the rest of the output is to go when it is not.
    case wantsOutput(ExchangePointer)
    /// A call waits for its client: another may have its permit.
    case offersPermit(ExchangePointer)
    /// Its client has come back.
    case wantsPermit(ExchangePointer)
    /// on_ready() was called; the number tells whether the exchange still lives.
    case asksReadiness(ExchangePointer, UInt64)
    /// An app has bounded the time of a request; the number tells whether the exchange still lives.
    case boundsTime(ExchangePointer, UInt64)
    /// The password of a request was looked at.
    case decided(PasswordQuestions.Asked, isRight: Bool)
    /// A WebSocket is to be looked at; the number tells whether it still lives.
    case socket(UInt64)
    /// Another app is to take a place in the mount table.
    case replaces(Replacement)
    /// The home thread has returned from a call that had left the loop.
    case cameHome
    /// A host thread has taken its leave of an app that is retired.
    case threadLeft
  }

  /// An eventfd, watched by the reactor.
  let bell: Int32
  private let mutex = Monitor()
  private var messages: [Message] = []

  init() throws(SystemError) { bell = try System.eventDescriptor(blocking: false) }

  deinit { System.close(bell) }

  /// Any thread: says something to the leader.
  func post(_ message: Message) {
    mutex.lock()
    let isFirst = messages.isEmpty
    messages.append(message)
    mutex.unlock()
    if isFirst { System.signalEvent(bell) }
  }

  /// Leader: takes everything, for a new round.
  func take(_ round: inout Round<Message>) {
    System.clearEvent(bell)
    mutex.lock()
    round.begin(with: &messages)
    mutex.unlock()
  }
}
