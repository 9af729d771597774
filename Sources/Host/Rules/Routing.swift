import Config
import Wire

/// The result of the rules for one request: how it is answered, if no application does, and what is added to
/// its answer and for its application. Made when the first rule has a result, and added to by those about its
/// answer.
final class Routing {
  /// Who answers.
  enum End {
    /// Files and applications, as without rules.
    case application
    /// The server, with a status, a sentence and further lines of the head.
    case answer(Int, String, lines: String)
    case file(StaticFiles.Found)
    /// Nobody yet: a password has to be checked first, which takes long.
    case undecided(PasswordQuestion)
  }

  var end = End.application
  /// No application is asked.
  var answers: Bool { if case .application = end { false } else { true } }
  /// The question to be answered before it goes on.
  var question: PasswordQuestion? { if case .undecided(let question) = end { question } else { nil } }
  /// Fields of the answer.
  var added: [(name: [UInt8], value: [UInt8])] = []
  /// Names of fields that are removed from the application's.
  var removed: [[UInt8]] = []
  /// Variables for the application, in memory of the exchange.
  private(set) var variables: [(name: Text, value: Text)] = []
  /// It has no line in the request log.
  var isSilent = false
  /// An account was asked for, and its password was right.
  var isAuthenticated = false
  /// The rule that goes on once its password has been checked, and the result.
  var position = 0
  var verdict: Bool?

  /// Gives the application a variable; the last one of a name counts.
  func add(variable name: Text, _ value: Text) {
    variables.removeAll { $0.name.bytes.elementsEqual(name.bytes) }
    variables.append((name, value))
  }
}

extension Worker {
  /// The head is complete, or the password in it was checked: asks the rules. True when the server answers
  /// itself.
  @inline(never)
  func route(_ rules: RuleBook, _ exchange: ExchangePointer) -> Bool {
    var run = RuleRun(self, rules, exchange)
    run.all()
    // The variables that rules have looked up describe the request before its application was found.
    if exchange.lists.environ != nil { exchange.lists = EnvironLists() }
    return exchange.routing?.answers == true
  }

  /// The request is complete, and a rule has decided how it is answered.
  func answer(_ exchange: ExchangePointer, _ routing: Routing) {
    switch routing.end {
    case .answer(let status, let sentence, let lines): answer(exchange, status, sentence, lines: lines)
    case .file(let found): answer(exchange, found)
    case .application, .undecided: break
    }
  }

  /// Adds fields to answers and removes some; called by the owner of the exchange.
  @inline(never)
  func editHead(_ exchange: ExchangePointer) {
    let routing = exchange.routing
    if let strict = ownAnswers.edits.strict, exchange.connection.isSealed,
      exchange.connection.gateway.isHTTP
    {
      // The application's own field gives way: two could count as none (RFC 6797 §8.1 takes the first).
      strict.name.withUnsafeBytes { exchange.response.remove($0) }
      add(strict, to: exchange)
    }
    for name in ownAnswers.edits.removed { name.withUnsafeBytes { exchange.response.remove($0) } }
    for name in routing?.removed ?? [] { name.withUnsafeBytes { exchange.response.remove($0) } }
    for field in ownAnswers.edits.added { add(field, to: exchange) }
    for field in routing?.added ?? [] { add(field, to: exchange) }
    if let rules = ownAnswers.rules, rules.concernAnswers, exchange.isNormalized { edit(exchange, rules) }
  }

  /// Owner of the exchange: asks the rules about answers. Each name and field that they say concerns the head
  /// as everything before has left it.
  @inline(never)
  private func edit(_ exchange: ExchangePointer, _ rules: RuleBook) {
    let before = exchange.routing
    let (removed, added) = (before?.removed.count ?? 0, before?.added.count ?? 0)
    var run = RuleRun(self, rules, exchange)
    run.allOfAnswer()
    guard let routing = exchange.routing else { return }
    for name in routing.removed[removed...] { name.withUnsafeBytes { exchange.response.remove($0) } }
    for field in routing.added[added...] { add(field, to: exchange) }
    // The request itself was not routed; a silent one is to be so until it has been accounted for.
    if before == nil, !routing.isSilent { exchange.routing = nil }
  }

  /// Checks both once more: nothing may end a line here. A full head stays unchanged.
  private func add(_ field: (name: [UInt8], value: [UInt8]), to exchange: ExchangePointer) {
    field.name.withUnsafeBytes { name in
      field.value.withUnsafeBytes { value in try? exchange.response.add(name: name, value: value) }
    }
  }
}

/// Changes to the heads of all answers.
struct HeadEdits {
  let removed: [[UInt8]]
  let added: [(name: [UInt8], value: [UInt8])]
  /// Strict-Transport-Security, only over TLS (RFC 6797 §7.2).
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
