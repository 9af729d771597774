import CLinux
import Config
import Control
import Wire

/// One request on its way through the rules, and its answer through those about answers. Belongs to the owner
/// of the exchange, who is the leader before there is an answer, and lives for the length of a call.
struct RuleRun {
  let worker: Worker
  let exchange: ExchangePointer
  private let book: RuleBook
  /// What the last pattern was tried on, and where its groups are in it.
  private(set) var subject = Text.empty
  private(set) var groups: [Range<Int>?] = []
  /// The subject was percent-decoded.
  private(set) var isDecoded = false

  init(_ worker: Worker, _ book: RuleBook, _ exchange: ExchangePointer) {
    (self.worker, self.book, self.exchange) = (worker, book, exchange)
  }

  /// The result so far for the request; made now if there was none.
  private var routing: Routing {
    if let routing = exchange.routing { return routing }
    let routing = Routing()
    exchange.routing = routing
    return routing
  }

  /// Asks the rules about requests, from the one on whose question has been answered.
  mutating func all() { ask(book.settings.rules, from: exchange.routing?.position ?? 0) }

  /// Asks the rules about answers: the head of this one is complete.
  mutating func allOfAnswer() { ask(book.settings.answerRules, from: 0) }

  /// Asks one rule after the other; they only go forward, so each is asked once at most.
  private mutating func ask(_ rules: [Rule], from start: Int) {
    var index = start
    while index < rules.count {
      let rule = rules[index]
      index += 1
      guard holds(rule.condition) else { continue }
      switch act(rule.action) {
      case .next: continue
      case .end: return
      case .wait:
        routing.position = index - 1
        return
      case .label(let name):
        index = rules[index...].firstIndex { $0.action == .label(name) } ?? rules.count
      }
    }
  }

  /// How it goes on.
  private enum Step {
    case next, end
    /// Goes on at this rule, when its question is answered.
    case wait
    case label(String)
  }

  // MARK: Conditions

  private mutating func holds(_ condition: RuleCondition) -> Bool {
    switch condition {
    case .always:
      groups = []
      return true
    case .matches(let part, let pattern):
      isDecoded = part == .path
      return matches(pattern, text(of: part))
    case .test(let test, let isNegated): return holds(test) != isNegated
    case .status(let status):
      groups = []
      return exchange.response.status == status
    }
  }

  private mutating func matches(_ pattern: Pattern, _ text: Text) -> Bool {
    guard let found = pattern.match(text.bytes) else { return false }
    (subject, groups) = (text, found)
    return true
  }

  private func text(of part: RuleSubject) -> Text {
    switch part {
    case .path: exchange.meta.pathInfo
    case .host: variable("HTTP_HOST")
    case .uri: exchange.meta.requestURI
    case .query: exchange.meta.query
    case .remoteAddress: exchange.meta.remoteAddr
    case .remoteUser: variable("REMOTE_USER")
    case .referer: variable("HTTP_REFERER")
    case .userAgent: variable("HTTP_USER_AGENT")
    }
  }

  /// A variable as applications get it; empty if there is none.
  func variable(_ name: StaticString) -> Text { variable(named: Text(name).bytes) }

  /// The same.
  func variable(named name: UnsafeRawBufferPointer) -> Text {
    if Ascii.equals(name, "PATH_INFO") { return exchange.meta.pathInfo }
    if Ascii.equals(name, "REQUEST_URI") { return exchange.meta.requestURI }
    let isScheme = Ascii.equals(name, "REQUEST_SCHEME") || Ascii.equals(name, "UWSGI_SCHEME")
    if isScheme { return exchange.meta.scheme }
    let value = exchange.pointee.variable(named: name).bytes
    return Text(value.baseAddress?.assumingMemoryBound(to: UInt8.self), value.count)
  }

  private mutating func holds(_ test: RuleTest) -> Bool {
    switch test {
    case .compares(let first, let comparison, let second):
      return Self.compare(expand(first).bytes, comparison, expand(second).bytes)
    case .matches(let text, let pattern):
      let expanded = expand(text)
      isDecoded = text.hasDecoded
      return matches(pattern, expanded)
    case .isEmpty(let text): return expand(text).isEmpty
    case .within(let text, let network):
      let address = IPAddress(parsing: String(decoding: expand(text).bytes, as: UTF8.self))
      return address.map(network.contains) ?? false
    case .leads(let text, let kind):
      let path = expand(text)
      guard path.bytes.first == UInt8(ascii: "/"), !FilePath.hasDots(path.bytes),
        !path.bytes.contains(0)
      else { return false }
      let version = path.start!.withMemoryRebound(to: CChar.self, capacity: path.count + 1) {
        System.fileVersion($0)
      }
      switch kind {
      case .anything: return version != nil
      case .file: return version?.kind == .regular
      case .directory: return version?.kind == .directory
      }
    }
  }

  private static func compare(
    _ first: UnsafeRawBufferPointer, _ comparison: RuleTest.Comparison, _ second: UnsafeRawBufferPointer
  ) -> Bool {
    switch comparison {
    case .equal: first.elementsEqual(second)
    case .startsWith: first.starts(with: second)
    case .endsWith: first.count >= second.count && first.suffix(second.count).elementsEqual(second)
    case .contains: holds(first, second)
    case .higher: number(first) > number(second)
    case .higherOrEqual: number(first) >= number(second)
    case .lower: number(first) < number(second)
    case .lowerOrEqual: number(first) <= number(second)
    }
  }

  private static func holds(_ text: UnsafeRawBufferPointer, _ part: UnsafeRawBufferPointer) -> Bool {
    if part.isEmpty { return true }
    guard text.count >= part.count else { return false }
    return clinux_contains(text.baseAddress!, text.count, part.baseAddress!, part.count) != 0
  }

  private static func number(_ text: UnsafeRawBufferPointer) -> Int64 {
    let digits = text.prefix { Ascii.isDigit($0) }
    return Ascii.decimal(UnsafeRawBufferPointer(rebasing: digits)) ?? (digits.isEmpty ? 0 : .max)
  }

  // MARK: Actions

  private mutating func act(_ action: RuleAction) -> Step {
    switch action {
    case .label: break
    case .end: return .end
    case .jump(let name): return .label(name)
    case .redirect(let status, let text):
      let line = "Location: \(String(decoding: location(text).bytes, as: UTF8.self))\r\n"
      return answer(status, "see Location", lines: line)
    case .answer(let status): return answer(status, "a rule of this server says so")
    case .file(let directory, let rest, let goesOn): return serve(directory, rest, goesOn: goesOn)
    case .authenticate(let realm, let accounts, let goesOn): return authenticate(realm, accounts, goesOn)
    case .addField(let name, let text):
      let value = expand(text)
      if mayStand(value.bytes) { routing.added.append((Array(name.utf8), Array(value.bytes))) }
    case .removeField(let name): routing.removed.append(Array(name.utf8))
    case .addVariable(let name, let text):
      let value = expand(text)
      if isOneLine(value.bytes, "a variable") { add(variable: name, value) }
    case .setScheme(let scheme):
      exchange.meta.scheme = scheme == "https" ? Text("https") : Text("http")
      exchange.lists = EnvironLists()
    case .rewrite(let text, let isLast): return rewrite(location(text), isLast: isLast)
    case .log(let text):
      worker.log.info(Printable.text(UnsafeRawBufferPointer(expand(text).bytes)))
    case .silence: routing.isSilent = true
    }
    return .next
  }

  /// Whether a value may be that of a field: it must not end its line, or be as long as a head.
  private func mayStand(_ value: UnsafeRawBufferPointer) -> Bool {
    value.count <= RuleRun.longestValue && isOneLine(value, "a field")
  }

  /// Whether a value has no NUL, and no end of a line: some applications would see one value there and others
  /// another. A value that has either is left out, with a log line.
  private func isOneLine(_ value: UnsafeRawBufferPointer, _ what: String) -> Bool {
    if value.allSatisfy(Ascii.isFieldValue) { return true }
    // What bounds lines about requests is the leader's.
    let isTold =
      exchange.isDetached
      ? book.admitsLine(at: System.now()) : worker.requestLines.refusals.admits(at: worker.now)
    if isTold {
      worker.log.warning(
        "\(what) of a rule is left out, since its value holds a control character: \(exchange.requestLine)")
    }
    return false
  }

  private static let longestValue = 8192

  private func answer(_ status: Int, _ sentence: String, lines: String = "") -> Step {
    routing.end = .answer(status, sentence, lines: lines)
    return .end
  }

  private func serve(_ directory: String, _ rest: RuleText, goesOn: Bool) -> Step {
    guard let files = worker.ownAnswers.files else { return .next }
    let request = FileRequest(&exchange.head, exchange.base)
    // A path with extra slashes looked different to the rules before this one.
    let found =
      FilePath.isPlain(exchange.meta.pathInfo.bytes)
      ? files.find(below: Array(directory.utf8), expand(rest).bytes, request, at: worker.fileMoment)
      : .nothing
    if case .nothing = found, goesOn { return .next }
    routing.end = .file(found)
    return .end
  }

  private func rewrite(_ target: Text, isLast: Bool) -> Step {
    do {
      try Normalizer.rewrite(target, &exchange.meta, &exchange.arena)
    } catch {
      return answer(400, error.description)
    }
    exchange.lists = EnvironLists()
    return isLast ? .end : .next
  }

  private func add(variable name: String, _ value: Text) {
    var name = name
    let copy = name.withUTF8 { bytes in
      Text(exchange.arena.copy(UnsafeRawBufferPointer(bytes)), bytes.count)
    }
    routing.add(variable: copy, value)
    exchange.lists = EnvironLists()
  }

  private func authenticate(_ realm: String, _ accounts: RuleAccounts, _ goesOn: Bool) -> Step {
    // A front end's REMOTE_USER does not count: some pass on names that nobody has checked.
    if exchange.routing?.isAuthenticated == true { return .next }
    let header = variable("HTTP_AUTHORIZATION")
    if let credentials = Credentials(header.bytes) {
      switch verdict(of: credentials, accounts) {
      case .admitted:
        routing.isAuthenticated = true
        let user = credentials.user.withUnsafeBytes { Text(exchange.arena.copy($0), $0.count) }
        add(variable: "REMOTE_USER", user)
        return .next
      case .asks(let question):
        routing.end = .undecided(question)
        return .wait
      case .refused: break
      }
    }
    if goesOn { return .next }
    let line = "WWW-Authenticate: Basic realm=\"\(realm)\"\r\n"
    return answer(401, "a name and a password are asked for here", lines: line)
  }

  private func verdict(of credentials: Credentials, _ accounts: RuleAccounts) -> PasswordVerdict {
    if let routing = exchange.routing, let isRight = routing.verdict {
      (routing.verdict, routing.end) = (nil, .application)
      return isRight ? .admitted : .refused
    }
    let verdict = book.verdict(of: credentials, accounts, worker.log)
    // A process that serves a single request holds up nobody.
    guard case .asks(let question) = verdict, !exchange.connection.gateway.hasSocket else { return verdict }
    return question.isRight() ? .admitted : .refused
  }
}
