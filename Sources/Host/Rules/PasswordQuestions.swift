import CNSGI
import Wire

/// What is known about a name and a password.
enum PasswordVerdict {
  case admitted, refused
  /// Only a hash can tell, which takes up to a tenth of a second.
  case asks(PasswordQuestion)
}

/// A password that has to be checked.
struct PasswordQuestion: Sendable {
  let path: String
  let user: [UInt8]
  let password: [UInt8]
  let hash: String
  /// There is no such account: the answer takes as long as for others, and is no.
  let isDecoy: Bool

  init(_ path: String, _ user: [UInt8], _ password: [UInt8], hash: String, isDecoy: Bool) {
    (self.path, self.user, self.password) = (path, user, password)
    (self.hash, self.isDecoy) = (hash, isDecoy)
  }

  /// Hashes the password, and compares.
  func isRight() -> Bool { PasswordHash.matches(password, hash) && !isDecoy }
}

/// Questions that wait for a thread beside the loop, which lives as long as there are any.
///
/// Unchecked: everything mutable is guarded by `mutex`.
final class PasswordQuestions: @unchecked Sendable {
  struct Asked {
    let exchange: ExchangePointer
    /// Shows whether the exchange still lives.
    let id: nsgi_id
    let question: PasswordQuestion
  }

  /// What happens to a question.
  enum Acceptance {
    /// It is answered when its turn comes.
    case waits
    /// The same, but a thread has to be started.
    case needsThread
    case full
  }

  private let mutex = Monitor()
  private let limit: Int
  private var waiting: [Asked] = []
  private var hasThread = false

  init(limit: Int) { self.limit = limit }

  func add(_ asked: Asked) -> Acceptance {
    mutex.lock()
    defer { mutex.unlock() }
    guard waiting.count < limit else { return .full }
    waiting.append(asked)
    if hasThread { return .waits }
    hasThread = true
    return .needsThread
  }

  /// For the thread: the next question; nil when the thread is no longer needed.
  func next() -> Asked? {
    mutex.lock()
    defer { mutex.unlock() }
    if waiting.isEmpty {
      hasThread = false
      return nil
    }
    return waiting.removeFirst()
  }

  /// There is no thread, and nothing is answered.
  func giveUp() {
    mutex.lock()
    waiting = []
    hasThread = false
    mutex.unlock()
  }
}

extension Worker {
  /// Leader: the request rests while its password is checked beside the loop.
  func ask(_ question: PasswordQuestion, _ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    guard let questions = ownAnswers.rules?.questions else { return }
    switch questions.add(.init(exchange: exchange, id: exchange.id, question: question)) {
    case .full: return refuse(connection, 503, "too many passwords wait to be looked at")
    case .waits: break
    case .needsThread:
      guard startCounted({ $0.answerQuestions(questions) }) else {
        questions.giveUp()
        return refuse(connection, 503, "the system gives no thread to look at a password")
      }
    }
    connection.next(.called)
    moveOn(connection, exchange)
    setTimeout(connection, .none)
    setInterest(connection, [])
  }

  /// Runs on a thread of its own.
  private func answerQuestions(_ questions: PasswordQuestions) {
    while let asked = questions.next() {
      inbox.post(.decided(asked, isRight: asked.question.isRight()))
    }
  }

  /// Leader: a password was checked; its request goes on where it stopped.
  func decided(_ asked: PasswordQuestions.Asked, isRight: Bool) -> Turn {
    if isRight { ownAnswers.rules?.learn(asked.question) }
    let exchange = asked.exchange
    guard exchange.id == asked.id, let routing = exchange.routing else { return .goesOn }
    routing.verdict = isRight
    exchange.connection.next(.decided)
    return goOn(exchange.connection, exchange)
  }
}
