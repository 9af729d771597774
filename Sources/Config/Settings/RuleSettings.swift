// Rules for requests before an application gets them, and for answers before they leave.

/// Rules about requests and answers.
public struct RuleSettings: Sendable, Equatable {
  /// The rules that apply to each request, one after another.
  public var rules: [Rule] = []
  /// The rules that apply to each answer when its head is complete, one after another. None of their actions
  /// makes another answer.
  public var answerRules: [Rule] = []
  /// Fields that each answer gets.
  public var addedFields: [AnswerField] = []
  /// Names of fields that are removed from the answers of applications.
  public var removedFields: [String] = []
  /// Pages for answers that the server itself gives; the last one of a status counts.
  public var errorPages: [ErrorPage] = []

  /// No rules.
  public init() {}

  /// There are no rules, though there may be fields and pages.
  public var isEmpty: Bool { rules.isEmpty && answerRules.isEmpty }

  /// A rule may answer with a file.
  public var servesFiles: Bool {
    rules.contains { if case .file = $0.action { true } else { false } }
  }
}

/// A field of an answer; the name is a token, and nothing in the value ends a line.
public struct AnswerField: Sendable, Equatable {
  /// The name as sent.
  public var name: String
  /// Its value.
  public var value: String

  /// A field that was checked.
  public init(name: String, value: String) { (self.name, self.value) = (name, value) }
}

/// A page for answers that the server itself gives.
public struct ErrorPage: Sendable, Equatable {
  /// The statuses, 400 … 599.
  public var statuses: ClosedRange<Int>
  /// The file.
  public var path: String

  /// A page for these statuses.
  public init(statuses: ClosedRange<Int>, path: String) { (self.statuses, self.path) = (statuses, path) }
}

/// One rule: an action that is taken if a condition holds.
public struct Rule: Sendable, Equatable {
  /// When the action is taken.
  public var condition: RuleCondition
  /// The action.
  public var action: RuleAction
}

/// When rules are asked about a request, and how their options begin.
public enum RulePhase: String, Sendable, Equatable, CaseIterable {
  /// Before files and applications.
  case request = "route"
  /// When there is an answer, before its head leaves.
  case answer = "response-route"
}

/// When a rule holds.
public enum RuleCondition: Sendable, Equatable {
  case always
  /// A part of the request matches; its groups are $1 … $9.
  case matches(RuleSubject, Pattern)
  case test(RuleTest, isNegated: Bool)
  /// The answer has this status, 100 … 599. In rules about answers alone.
  case status(Int)
}

/// The part of a request that a rule looks at.
public enum RuleSubject: String, Sendable, Equatable, CaseIterable {
  /// PATH_INFO
  case path = ""
  case host = "host"
  /// The target as the client sent it.
  case uri = "uri"
  case query = "qs"
  case remoteAddress = "remote-addr"
  case remoteUser = "remote-user"
  case referer = "referer"
  case userAgent = "user-agent"
}

/// A test of texts.
public enum RuleTest: Sendable, Equatable {
  /// How two texts, or two numbers, are compared.
  public enum Comparison: Sendable, Equatable {
    case equal, startsWith, endsWith, contains
    /// As integers, as far as the digits go.
    case higher, higherOrEqual, lower, lowerOrEqual
  }

  /// What a path may have to lead to.
  public enum Kind: Sendable, Equatable { case anything, file, directory }

  case compares(RuleText, Comparison, RuleText)
  case matches(RuleText, Pattern)
  case isEmpty(RuleText)
  /// An address is in a network.
  case within(RuleText, TrustedProxy)
  case leads(RuleText, Kind)
}

/// What a rule does.
public enum RuleAction: Sendable, Equatable {
  /// Answers with 301 or 302 and this Location.
  case redirect(Int, RuleText)
  /// Answers with a file below a directory; a missing one gets a 404, or the next rule.
  case file(directory: String, RuleText, goesOn: Bool)
  /// Answers with a status, 200 … 599.
  case answer(Int)
  /// Asks for a name and a password (RFC 7617); clients without them get 401, or the next rule.
  case authenticate(realm: String, RuleAccounts, goesOn: Bool)
  case addField(name: String, RuleText)
  case removeField(String)
  /// Gives the application a variable.
  case addVariable(name: String, RuleText)
  /// "http" or "https".
  case setScheme(String)
  /// Gives the request another path, percent-encoded, and puts what follows its "?" in front of its query.
  case rewrite(RuleText, isLast: Bool)
  /// Writes a log line.
  case log(RuleText)
  /// Leaves the request out of the request log.
  case silence
  /// No further rule is asked: the request goes to files and applications.
  case end
  /// Jumps to the label of this name, which comes further down.
  case jump(String)
  /// The target of a jump; it does nothing.
  case label(String)
}

/// The accounts whose passwords are accepted.
public enum RuleAccounts: Sendable, Equatable {
  case nobody
  case one(user: String, password: String)
  /// Lines `user:hash`, with hashes as in crypt(5).
  case file(String)
}

/// A text with placeholders for values of a request.
public struct RuleText: Sendable, Equatable {
  /// A piece of it.
  public enum Part: Sendable, Equatable {
    case literal([UInt8])
    /// A group of the rule's pattern, 0 … 9.
    case group(Int)
    /// A variable as applications get it.
    case variable([UInt8])
    /// A cookie's value.
    case cookie([UInt8])
    /// The value of a parameter of the query, decoded.
    case parameter([UInt8])
    /// The status of the answer; 0 while there is none.
    case status
  }

  /// The pieces, in order.
  public var parts: [Part]

  /// A text of these pieces.
  public init(_ parts: [Part]) { self.parts = parts }

  /// Its text, if it has no placeholders.
  public var literal: String? {
    var bytes: [UInt8] = []
    for part in parts {
      guard case .literal(let text) = part else { return nil }
      bytes += text
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
