// Rules for requests before an application gets them, and for answers before they leave; names and meanings
// are uWSGI's.

let ruleOptions = OptionGroup(
  title: "Rules for requests and answers",
  options: [
    OptionSpec(
      "add-header", repeats: true, "add a field to every answer",
      .value(placeholder: "\"NAME: VALUE\"") { (draft, text) throws(ValueError) in
        draft.settings.rules.addedFields.append(try AnswerField(parsing: text))
      }),
    OptionSpec(
      "del-header", aliases: ["rem-header"], repeats: true, "take a field out of every answer",
      .value(placeholder: "NAME") { (draft, text) throws(ValueError) in
        draft.settings.rules.removedFields.append(try AnswerField.name(text))
      }),
    OptionSpec(
      "error-page", repeats: true, "answer a status (502, 4xx) that the server itself gives with a file",
      .value(placeholder: "STATUS=FILE") { (draft, text) throws(ValueError) in
        draft.settings.rules.errorPages.append(try ErrorPage(parsing: text))
      }),
  ] + rules(.request) + rules(.answer) + statusRules)

private let statusRules = [
  OptionSpec(
    "response-route-status", repeats: true, "do ACTION for answers with this status",
    .value(placeholder: "\"STATUS ACTION\"") { (draft, text) throws(ValueError) in
      draft.settings.rules.answerRules.append(try Rule(status: text))
    })
]

/// The options of one kind of rules: `--route…`, or `--response-route…`.
private func rules(_ phase: RulePhase) -> [OptionSpec] {
  let name = phase.rawValue
  let others = [
    OptionSpec(
      name + "-if", repeats: true, "do ACTION where a condition holds: equal:${HTTPS};on",
      .value(placeholder: "\"TEST ACTION\"") { (draft, text) throws(ValueError) in
        draft.settings.rules.append(try Rule(parsing: text, isNegated: false, phase), phase)
      }),
    OptionSpec(
      name + "-if-not", repeats: true, "do ACTION where it does not",
      .value(placeholder: "\"TEST ACTION\"") { (draft, text) throws(ValueError) in
        draft.settings.rules.append(try Rule(parsing: text, isNegated: true, phase), phase)
      }),
    OptionSpec(
      name + "-run", repeats: true, "do ACTION for each request",
      .value(placeholder: "ACTION") { (draft, text) throws(ValueError) in
        draft.settings.rules.append(try Rule(always: text, phase), phase)
      }),
    OptionSpec(
      name + "-label", repeats: true, "where goto:NAME of a rule above goes on",
      .value(placeholder: "NAME") { (draft, text) throws(ValueError) in
        let label = try Value.text(text, example: "members")
        draft.settings.rules.append(Rule(condition: .always, action: .label(label)), phase)
      }),
  ]
  return RuleSubject.allCases.map { rule($0, phase) } + others
}

/// `--route`, `--route-host` … and the same of answers.
private func rule(_ subject: RuleSubject, _ phase: RulePhase) -> OptionSpec {
  let what =
    switch subject {
    case .path: "path"
    case .host: "Host"
    case .uri: "target"
    case .query: "query"
    case .remoteAddress: "client's address"
    case .remoteUser: "user"
    case .referer: "Referer"
    case .userAgent: "User-Agent"
    }
  return OptionSpec(
    phase.rawValue + (subject == .path ? "" : "-" + subject.rawValue), repeats: true,
    "do ACTION where the \(what) matches",
    .value(placeholder: "\"REGEXP ACTION\"") { (draft, text) throws(ValueError) in
      draft.settings.rules.append(try Rule(parsing: text, subject, phase), phase)
    })
}

extension ErrorPage {
  /// Reads `502=FILE`, `4xx=FILE`.
  init(parsing text: String) throws(ValueError) {
    guard let (word, path) = text.cut(at: Ascii.equals), !path.isEmpty, let statuses = Self.statuses(word)
    else {
      throw .rule(
        text, problem: "names no status of an error and file", fix: "write it as in 502=/srv/www/502.html")
    }
    self.init(statuses: statuses, path: String(path))
  }

  private static func statuses(_ word: Substring) -> ClosedRange<Int>? {
    switch word {
    case "4xx": return 400...499
    case "5xx": return 500...599
    default:
      guard word.utf8.count == 3, let status = Int(word), (400...599).contains(status) else { return nil }
      return status...status
    }
  }
}

extension RuleSettings {
  /// Adds a rule behind the others of its kind.
  fileprivate mutating func append(_ rule: Rule, _ phase: RulePhase) {
    switch phase {
    case .request: rules.append(rule)
    case .answer: answerRules.append(rule)
    }
  }

  /// The error of a jump that leads nowhere, or back; nil if there is none.
  var lostJump: ConfigError? { lostJump(.request) ?? lostJump(.answer) }

  private func lostJump(_ phase: RulePhase) -> ConfigError? {
    let rules =
      switch phase {
      case .request: self.rules
      case .answer: answerRules
      }
    for (index, rule) in rules.enumerated() {
      guard case .jump(let name) = rule.action else { continue }
      let isThere = rules[index...].contains { $0.action == .label(name) }
      if !isThere { return .jumpToNowhere(label: name, option: phase.rawValue + "-label") }
    }
    return nil
  }
}
