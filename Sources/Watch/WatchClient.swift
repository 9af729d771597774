/// A client of the watch process, from connecting to the end.
struct WatchClient {
  /// How far it has come.
  enum Stage {
    /// The head of its question is incomplete.
    case asking
    /// The answer is being sent.
    case answering
    /// Everything is sent, and our side is shut; what it still sends is read and dropped, since a connection
    /// closed with bytes unread is reset, which destroys the answer (RFC 9112 §9.6).
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
  /// The time of the last progress.
  private var moved: UInt64

  /// Milliseconds for the question; for the next piece of the answer to be taken; for all of it; and for its
  /// end to be noticed.
  private static let (askPatience, takePatience): (UInt64, UInt64) = (2000, 10_000)
  private static let (wholePatience, leavePatience): (UInt64, UInt64) = (60_000, 2000)
  /// The most bytes that are read and dropped.
  private static let mostSurplus = 64 * 1024

  init(descriptor: Int32, listener: Int, began: UInt64) {
    (self.descriptor, self.listener, self.began, moved) = (descriptor, listener, began, began)
  }

  /// What to wait for.
  var events: Int16 { stage == .answering ? System.roomEvent : System.inputEvent }

  /// Reads what has come; false if that is not a question.
  mutating func listen() -> Bool {
    guard let bytes = System.receive(descriptor) else { return false }
    if bytes.isEmpty { stage = .gone }
    input += bytes
    return !bytes.isEmpty
  }

  /// Sets the answer; from now on no question is read.
  mutating func answer(_ bytes: [UInt8], _ now: UInt64) {
    (output, sent, stage, moved, input) = (bytes, 0, .answering, now, [])
  }

  /// Sends as much as is taken, and after its end waits for the client's.
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

  /// It is no longer waited for.
  func isOver(_ now: UInt64) -> Bool {
    switch stage {
    case .asking: now > began + Self.askPatience
    case .answering: now > moved + Self.takePatience || now > began + Self.wholePatience
    case .leaving:
      now > began + Self.wholePatience || now > moved + Self.leavePatience && !System.hasUnsent(descriptor)
    case .gone: true
    }
  }

  /// It may be closed to make room for another: it has got its answer, or has not asked yet. A slow reader
  /// gets a moment, too.
  func isDispensable(_ now: UInt64) -> Bool {
    switch stage {
    case .answering: now > began + Self.askPatience
    case .asking, .leaving, .gone: true
    }
  }

  /// Of those that may be closed, the one of least worth goes first.
  var worth: (Int, UInt64) {
    switch stage {
    case .gone: (0, began)
    case .leaving: (1, began)
    case .asking: (2, began)
    case .answering: (3, began)
    }
  }
}
