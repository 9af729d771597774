// `route = ^/old/(.*) redirect:/new/$1` -> a rule. Names and meanings are uWSGI's; anything that does not
// exist here is refused by name, since leaving out a rule changes the meaning of the others.

extension Rule {
  /// A rule that looks at a part of the request: a pattern, a blank, an action.
  init(parsing text: String, _ subject: RuleSubject, _ phase: RulePhase) throws(ValueError) {
    guard let (pattern, action) = text.cut(at: 0x20) else { throw Self.incomplete(text) }
    let read = try Pattern(String(pattern))
    self.init(
      condition: .matches(subject, read),
      action: try RuleAction(parsing: action.trimmed, groups: read.groups, phase))
  }

  /// `response-route-status`: a status, a blank, an action.
  init(status text: String) throws(ValueError) {
    guard let (word, action) = text.cut(at: 0x20) else { throw Self.incomplete(text) }
    guard word.utf8.count == 3, word.utf8.allSatisfy(Ascii.isDigit), let status = Int(word),
      (100...599).contains(status)
    else {
      throw .rule(
        String(word), problem: "is not a status of an answer",
        fix: "write one from 100 to 599, as in 404 addheader:X-Found: no")
    }
    self.init(
      condition: .status(status), action: try RuleAction(parsing: action.trimmed, groups: -1, .answer))
  }

  /// `route-if` and `route-if-not`: `name:texts`, a blank, an action.
  init(parsing text: String, isNegated: Bool, _ phase: RulePhase) throws(ValueError) {
    guard let (test, action) = text.cut(at: 0x20) else { throw Self.incomplete(text) }
    let read = try RuleTest(parsing: test)
    var groups = 0
    if case .matches(_, let pattern) = read, !isNegated { groups = pattern.groups }
    self.init(
      condition: .test(read, isNegated: isNegated),
      action: try RuleAction(parsing: action.trimmed, groups: groups, phase))
  }

  /// `route-run`: an action alone.
  init(always text: String, _ phase: RulePhase) throws(ValueError) {
    self.init(condition: .always, action: try RuleAction(parsing: text.trimmed, groups: -1, phase))
  }

  private static func incomplete(_ text: String) -> ValueError {
    .rule(
      text, problem: "has no condition and action with a blank between them",
      fix: "write it as in ^/old/(.*) redirect:/new/$1, with \\s for a blank in the condition")
  }
}

extension RuleTest {
  private static let comparisons: [String: Comparison] = [
    "equal": .equal, "isequal": .equal, "eq": .equal, "==": .equal, "startswith": .startsWith,
    "endswith": .endsWith, "contains": .contains, "contain": .contains, "ishigher": .higher, ">": .higher,
    "ishigherequal": .higherOrEqual, ">=": .higherOrEqual, "islower": .lower, "<": .lower,
    "islowerequal": .lowerOrEqual, "<=": .lowerOrEqual,
  ]
  private static let kinds: [String: Kind] = ["exists": .anything, "isfile": .file, "isdir": .directory]

  init(parsing text: some StringProtocol) throws(ValueError) {
    let text = String(text)
    guard let (name, rest) = text.cut(at: Ascii.colon) else {
      throw .rule(text, problem: "names no condition and its texts", fix: "write it as in equal:${HTTPS};on")
    }
    if let kind = Self.kinds[String(name)] {
      self = .leads(try RuleText(parsing: rest, groups: -1), kind)
    } else if name == "empty" {
      self = .isEmpty(try RuleText(parsing: rest, groups: -1))
    } else {
      guard let (first, second) = rest.cut(at: UInt8(ascii: ";")) else {
        throw Self.isKnown(name)
          ? .rule(text, problem: "compares nothing", fix: "write two texts, as in equal:${HTTPS};on")
          : Self.unknown(name)
      }
      let read = try RuleText(parsing: first, groups: -1)
      if let comparison = Self.comparisons[String(name)] {
        self = .compares(read, comparison, try RuleText(parsing: second, groups: -1))
      } else if name == "regexp" || name == "re" {
        self = .matches(read, try Pattern(String(second)))
      } else if name == "ipv4in" || name == "ipv6in" {
        self = .within(read, try Self.network(String(second)))
      } else {
        throw Self.unknown(name)
      }
    }
  }

  /// A network of addresses; bits beyond its prefix are ignored, as in uWSGI.
  private static func network(_ text: String) throws(ValueError) -> TrustedProxy {
    let network = try TrustedProxy(parsing: text, isLoose: true)
    if case .unixPeers = network { throw .notANetwork(text) }
    return network
  }

  private static func isKnown(_ name: Substring) -> Bool {
    comparisons[String(name)] != nil || ["regexp", "re", "ipv4in", "ipv6in"].contains(name)
  }

  private static func unknown(_ name: Substring) -> ValueError {
    .rule(
      String(name), problem: "is not a condition that rules have here",
      fix:
        "use equal, startswith, endswith, contains, regexp, empty, exists, isfile, isdir, ipv4in, ipv6in, "
        + "ishigher or islower, or write the rule in the front end")
  }
}
