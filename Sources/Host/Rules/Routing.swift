import Config
import Wire

/// What rules have made of one request: how it is answered, if no application has it, and what its answer and
/// its application get besides. Made when the first rule has something to say.
final class Routing {
  /// Who answers.
  enum End {
    /// Files and applications, as without rules.
    case application
    /// The server, with a status, a sentence and further lines of the head.
    case answer(Int, String, lines: String)
    case file(StaticFiles.Found)
    /// Nobody yet: a password has to be looked at first, which takes long.
    case undecided(PasswordQuestion)
  }

  var end = End.application
  /// No application is asked.
  var answers: Bool { if case .application = end { false } else { true } }
  /// What has to be known before it goes on.
  var question: PasswordQuestion? { if case .undecided(let question) = end { question } else { nil } }
  /// Fields of the answer.
  var added: [(name: [UInt8], value: [UInt8])] = []
  /// Names of fields that are taken out of the application's.
  var removed: [[UInt8]] = []
  /// Variables of the application, in memory of the exchange.
  private(set) var variables: [(name: Text, value: Text)] = []
  /// It has no line in the request log.
  var isSilent = false
  /// An account was asked for, and its password was right.
  var isAuthenticated = false
  /// The rule that goes on once its password has been looked at, and what was found.
  var position = 0
  var verdict: Bool?

  /// Gives the application a variable; the last one of a name counts.
  func add(variable name: Text, _ value: Text) {
    variables.removeAll { $0.name.bytes.elementsEqual(name.bytes) }
    variables.append((name, value))
  }
}

extension Worker {
  /// The head is complete, or the password in it was looked at: asks the rules. True when the server answers
  /// itself.
  @inline(never)
  func route(_ rules: RuleBook, _ exchange: ExchangePointer) -> Bool {
    var run = RuleRun(self, rules, exchange)
    run.all()
    // What rules have looked up speaks of the request as it was before its application was found.
    if exchange.lists.environ != nil { exchange.lists = EnvironLists() }
    return exchange.pointee.routing?.answers == true
  }

  /// The request is there, and a rule has said how it is answered.
  func answer(_ exchange: ExchangePointer, _ routing: Routing) {
    switch routing.end {
    case .answer(let status, let sentence, let lines): answer(exchange, status, sentence, lines: lines)
    case .file(let found): answer(exchange, found)
    case .application, .undecided: break
    }
  }

  /// Fields that are added to answers and taken out of them; whoever holds the exchange.
  @inline(never)
  func editHead(_ exchange: ExchangePointer) {
    let routing = exchange.pointee.routing
    if let strict = edits.strict, exchange.connection.isSealed, exchange.connection.gateway.isHTTP {
      // An application's own word gives way: two fields would be none (RFC 6797 §8.1 takes the first).
      strict.name.withUnsafeBytes { exchange.response.remove($0) }
      add(strict, to: exchange)
    }
    for name in edits.removed { name.withUnsafeBytes { exchange.response.remove($0) } }
    for name in routing?.removed ?? [] { name.withUnsafeBytes { exchange.response.remove($0) } }
    for field in edits.added { add(field, to: exchange) }
    for field in routing?.added ?? [] { add(field, to: exchange) }
  }

  /// Both are looked at once more: nothing can end a line here. A head that is full stays as it is.
  private func add(_ field: (name: [UInt8], value: [UInt8]), to exchange: ExchangePointer) {
    field.name.withUnsafeBytes { name in
      field.value.withUnsafeBytes { value in try? exchange.response.add(name: name, value: value) }
    }
  }
}

/// What is done to the heads of all answers.
struct HeadEdits {
  let removed: [[UInt8]]
  let added: [(name: [UInt8], value: [UInt8])]
  /// Strict-Transport-Security, over TLS alone (RFC 6797 §7.2).
  let strict: (name: [UInt8], value: [UInt8])?

  var isEmpty: Bool { removed.isEmpty && added.isEmpty && strict == nil }
}

extension HeadEdits {
  init(_ settings: Settings) {
    removed = settings.rules.removedFields.map { Array($0.utf8) }
    added = settings.rules.addedFields.map { (Array($0.name.utf8), Array($0.value.utf8)) }
    strict = settings.tls.strictSeconds.map {
      (Array("Strict-Transport-Security".utf8), Array("max-age=\($0)".utf8))
    }
  }
}
