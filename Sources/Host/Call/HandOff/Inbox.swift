import Glibc

/// Messages from threads beside the loop to the leader, and the bell that wakes it. In order: nothing is said
/// about an exchange after `returned` or `finished`.
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
    /// An app has read the part of its body that had come.
    case wantsBody(ExchangePointer)
    /// The socket is full; the rest of the output has to go when it is not.
    case wantsOutput(ExchangePointer)
    /// A call waits for its client: another may have its permit.
    case offersPermit(ExchangePointer)
    /// Its client has come back.
    case wantsPermit(ExchangePointer)
    /// on_ready() was called; the number tells whether the exchange still lives.
    case asksReadiness(ExchangePointer, UInt64)
    /// An app has bounded the time of a request; the number tells whether the exchange still lives.
    case boundsTime(ExchangePointer, UInt64)
    /// The password of a request was checked.
    case decided(PasswordQuestions.Asked, isRight: Bool)
    /// A WebSocket has to be looked at; the number tells whether it still lives.
    case socket(UInt64)
    /// Links to other workers have to be looked at.
    case topics
    /// Another app has to take a place in the mount table.
    case replaces(Replacement)
    /// Certificates that a master has handed over are ready to be presented.
    case certificates([TLSIdentities], number: Int)
    /// The step of a handshake that uses the key was taken; the token shows whether its connection still
    /// lives.
    case toiled(Token, Carrier)
    /// The home thread has returned from a call that had left the loop.
    case cameHome
    /// A host thread has taken its leave of a retired app.
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
