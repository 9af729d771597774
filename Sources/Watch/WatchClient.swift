/// Somebody who asks the watch process, from connecting to the end.
struct WatchClient {
  /// How far it is.
  enum Stage {
    /// The head of its question has not come whole.
    case asking
    /// The answer is on its way.
    case answering
    /// Everything is sent and said to be all; what it still says is read over, since a connection that is
    /// closed with bytes unread is reset, and takes the answer along (RFC 9112 §9.6).
    case leaving
    /// There is nothing left to do.
    case gone
  }

  let descriptor: Int32
  /// The place of the socket that it came to.
  let listener: Int
  /// Monotonic milliseconds.
  let began: UInt64
  private(set) var stage = Stage.asking
  private(set) var input: [UInt8] = []
  private var output: [UInt8] = []
  private var sent = 0
  private var surplus = 0
  /// Of the last step forward.
  private var moved: UInt64

  /// Milliseconds for the question; for the next piece of the answer to be taken; for all of it; and for its
  /// end to be seen.
  private static let (askPatience, takePatience): (UInt64, UInt64) = (2000, 10_000)
  private static let (wholePatience, leavePatience): (UInt64, UInt64) = (60_000, 2000)
  /// Bytes that are read over.
  private static let mostSurplus = 64 * 1024

  init(descriptor: Int32, listener: Int, began: UInt64) {
    (self.descriptor, self.listener, self.began, moved) = (descriptor, listener, began, began)
  }

  /// What to wait for.
  var events: Int16 { stage == .answering ? System.roomEvent : System.inputEvent }

  /// Takes what has come; false when that makes no question.
  mutating func listen() -> Bool {
    guard let bytes = System.receive(descriptor) else { return false }
    if bytes.isEmpty { stage = .gone }
    input += bytes
    return !bytes.isEmpty
  }

  /// The answer; from now on nothing is asked.
  mutating func answer(_ bytes: [UInt8], _ now: UInt64) {
    (output, sent, stage, moved, input) = (bytes, 0, .answering, now, [])
  }

  /// Sends what is taken, and at its end waits for the client's.
  mutating func goOn(_ now: UInt64) {
    switch stage {
    case .answering:
      guard let count = System.send(descriptor, output[sent...]) else { return stage = .gone }
      sent += count
      if count > 0 { moved = now }
      guard sent == output.count else { return }
      System.endOutput(descriptor)
      (stage, output) = (.leaving, [])
    case .leaving:
      guard let bytes = System.receive(descriptor) else { return }
      surplus += bytes.count
      if bytes.isEmpty || surplus > Self.mostSurplus { stage = .gone }
    case .asking, .gone: break
    }
  }

  /// Nobody waits for it any longer.
  func isOver(_ now: UInt64) -> Bool {
    switch stage {
    case .asking: now > began + Self.askPatience
    case .answering: now > moved + Self.takePatience || now > began + Self.wholePatience
    case .leaving:
      now > began + Self.wholePatience || now > moved + Self.leavePatience && !System.hasUnsent(descriptor)
    case .gone: true
    }
  }

  /// It may be closed for another one's sake: it has what it wanted, or has not said what that is. Who takes
  /// an answer slowly has a moment, too.
  func isDispensable(_ now: UInt64) -> Bool {
    switch stage {
    case .answering: now > began + Self.askPatience
    case .asking, .leaving, .gone: true
    }
  }

  /// Of those that may be closed the least goes first.
  var worth: (Int, UInt64) {
    switch stage {
    case .gone: (0, began)
    case .leaving: (1, began)
    case .asking: (2, began)
    case .answering: (3, began)
    }
  }
}
