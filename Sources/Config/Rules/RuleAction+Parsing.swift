// `redirect:/new/$1`: the actions of rules.

extension RuleAction {
  init(parsing text: Substring, groups: Int, _ phase: RulePhase) throws(ValueError) {
    guard let (name, rest) = text.cut(at: Ascii.colon) else {
      throw .rule(
        String(text), problem: "names no action and its text", fix: "write it as in redirect:/new, or last:")
    }
    func value() throws(ValueError) -> RuleText { try RuleText(parsing: rest, groups: groups) }
    switch name {
    case "redirect", "redirect-302": self = .redirect(302, try value())
    case "redirect-permanent", "redirect-301": self = .redirect(301, try value())
    case "static", "static-next":
      self = try Self.file(String(rest), try value(), goesOn: name == "static-next")
    case "return", "break", "break-with-status": self = .answer(try Self.status(name, rest))
    case "basicauth", "basicauth-next":
      self = try Self.authentication(String(rest), goesOn: name == "basicauth-next")
    case "addheader": self = try Self.addedField(rest, groups)
    case "delheader", "remheader": self = .removeField(try AnswerField.name(String(rest)))
    case "addvar": self = try Self.variable(rest, groups)
    case "setscheme":
      guard rest == "http" || rest == "https" else {
        throw .unknownWord(String(rest), known: ["http", "https"])
      }
      self = .setScheme(String(rest))
    case "rewrite", "rewrite-last": self = .rewrite(try value(), isLast: name == "rewrite-last")
    case "log": self = .log(try value())
    case "donotlog": self = .silence
    case "last", "continue": self = .end
    case "goto": self = .jump(try Value.text(String(rest), example: "goto:label"))
    default: throw Self.unknown(name, phase)
    }
    if phase == .answer, !suitsAnswers { throw Self.unknown(name, phase) }
  }

  /// Whether it makes sense when there is an answer already.
  private var suitsAnswers: Bool {
    switch self {
    case .addField, .removeField, .log, .silence, .end, .jump, .label: true
    case .redirect, .file, .answer, .authenticate, .addVariable, .setScheme, .rewrite: false
    }
  }

  private static func unknown(_ name: Substring, _ phase: RulePhase) -> ValueError {
    switch phase {
    case .request:
      .rule(
        String(name), problem: "is not an action that rules have here",
        fix:
          "use redirect, redirect-permanent, static, return, basicauth, addheader, delheader, addvar, "
          + "setscheme, rewrite, log, donotlog, goto or last, or write the rule in the front end")
    case .answer:
      .rule(
        String(name), problem: "is not an action that rules about answers have here",
        fix:
          "use addheader, delheader, log, donotlog, goto or last, an option that begins with route for what "
          + "has to come before the answer, or the front end")
    }
  }

  /// A file: everything up to the last slash before a placeholder is the directory that it must stay in.
  private static func file(_ text: String, _ value: RuleText, goesOn: Bool) throws(ValueError) -> RuleAction {
    func bad() -> ValueError {
      .rule(
        text, problem: "says no directory that the file stays in",
        fix: "begin with one, as in static:/srv/www/$1")
    }
    guard case .literal(let first)? = value.parts.first, first.first == Ascii.slash else { throw bad() }
    if value.parts.count == 1 {
      return .file(directory: String(decoding: first, as: UTF8.self), RuleText([]), goesOn: goesOn)
    }
    guard let slash = first.lastIndex(of: Ascii.slash), first[..<slash].contains(where: { $0 != Ascii.slash })
    else { throw bad() }
    let rest = RuleText.Part.literal(Array(first[(slash + 1)...]))
    return .file(
      directory: String(decoding: first[..<slash], as: UTF8.self),
      RuleText([rest] + value.parts.dropFirst()), goesOn: goesOn)
  }

  /// `404`, `403 Forbidden`: the phrase is always the standard one.
  private static func status(_ name: Substring, _ text: Substring) throws(ValueError) -> Int {
    let word = text.utf8.prefix { !Ascii.isBlank($0) }
    guard word.count == 3, word.allSatisfy(Ascii.isDigit), let status = Int(Substring(word)),
      (200...599).contains(status)
    else {
      throw .rule(
        "\(name):\(text)", problem: "says no status from 200 to 599", fix: "write one, as in \(name):403")
    }
    return status
  }

  /// `Realm,FILE` or `Realm,user:password`; no password is right if nothing follows the comma.
  private static func authentication(_ text: String, goesOn: Bool) throws(ValueError) -> RuleAction {
    guard let (realm, source) = text.cut(at: UInt8(ascii: ",")),
      realm.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c })
    else {
      throw .rule(
        text, problem: "has no realm and accounts",
        fix: "write it as in basicauth:Members,/etc/members.htpasswd")
    }
    if source.isEmpty { return .authenticate(realm: String(realm), .nobody, goesOn: goesOn) }
    guard source.utf8.first != Ascii.slash, let (user, password) = source.cut(at: Ascii.colon) else {
      return .authenticate(realm: String(realm), .file(String(source)), goesOn: goesOn)
    }
    return .authenticate(
      realm: String(realm), .one(user: String(user), password: String(password)), goesOn: goesOn)
  }

  private static func addedField(_ text: Substring, _ groups: Int) throws(ValueError) -> RuleAction {
    let field = try AnswerField(parsing: String(text))
    return .addField(name: field.name, try RuleText(parsing: field.value, groups: groups))
  }

  private static func variable(_ text: Substring, _ groups: Int) throws(ValueError) -> RuleAction {
    guard let (name, value) = text.cut(at: Ascii.equals), !name.isEmpty,
      name.utf8.allSatisfy({ Ascii.isLetter($0) || Ascii.isDigit($0) || $0 == Ascii.underscore })
    else { throw .variableWithoutEquals(String(text)) }
    if name == "HTTPS" || name == "UWSGI_SCHEME" || name == "REQUEST_SCHEME" {
      switch value.lowercased() {
      case "on", "1", "https": return .setScheme("https")
      case "off", "0", "", "http": return .setScheme("http")
      default: throw .unknownWord(String(value), known: ["http", "https"])
      }
    }
    if RuleAction.ownVariables.contains(String(name)) {
      throw .rule(
        String(name), problem: "is a variable that the server itself answers for",
        fix: "use setscheme or rewrite, or another name")
    }
    return .addVariable(name: String(name), try RuleText(parsing: value, groups: groups))
  }

  /// Variables that define the request itself, and the length of its body.
  static let ownVariables: Set<String> = [
    "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_URI", "SERVER_PROTOCOL",
    "GATEWAY_INTERFACE", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING",
    "HTTP_CONNECTION", "REMOTE_ADDR", "REMOTE_PORT", "SERVER_NAME", "SERVER_PORT",
  ]
}

extension AnswerField {
  /// Reads `Name: value`. Throws for fields of the connection, and for those that contain a line end.
  init(parsing text: String) throws(ValueError) {
    guard let (name, value) = text.cut(at: Ascii.colon) else {
      throw .rule(text, problem: "is not a field with its value", fix: "write it as in X-Frame-Options: DENY")
    }
    self.init(name: try Self.name(String(name)), value: String(value.trimmed))
    guard self.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
      throw .rule(text, problem: "has a control character in its value", fix: "write one line")
    }
  }

  /// The name of a field that may be added and removed.
  static func name(_ text: String) throws(ValueError) -> String {
    let name = String(text.trimmed)
    let isToken = name.utf8.allSatisfy { byte in
      Ascii.isLetter(byte) || Ascii.isDigit(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
    guard isToken, !name.isEmpty else {
      throw .rule(text, problem: "is not the name of a field", fix: "write it as in X-Frame-Options")
    }
    if isConnections(name) {
      throw .rule(
        name, problem: "is a field that the server answers for",
        fix: "take it out: connections and lengths are told as they are")
    }
    return name
  }

  /// Whether a field concerns the connection or the body's length.
  static func isConnections(_ name: some StringProtocol) -> Bool {
    [
      "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "status",
      "proxy-authenticate", "proxy-authorization",
    ].contains(name.lowercased())
  }
}
