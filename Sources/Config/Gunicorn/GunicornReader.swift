// gunicorn's command line -> options: `server MODULE:APP -b ADDR -w N …`. It is one if a word outside of all
// options names an application, as gunicorn expects.

struct GunicornReader {
  /// gunicorn's options, in order: the row, the name as written, the value.
  private(set) var given: [(option: GunicornOption, written: String, value: String)] = []
  /// This server's own words among them.
  private(set) var others: [String] = []
  /// `MODULE[:APP]`.
  private(set) var application: String?
  private var problems: [ConfigError] = []

  /// The options of the command line; nil if it is not gunicorn's.
  static func read(
    _ arguments: [String], _ environment: [String: String]
  ) -> CommandLineOptions? {
    var reader = GunicornReader()
    guard reader.find(arguments), let application = reader.application else { return nil }
    reader.given = []
    reader.take(GunicornReader.words(environment["GUNICORN_CMD_ARGS"] ?? ""))
    reader.take(arguments)
    let meaning = GunicornTranslation(
      reader.given.map { ($0.option, $0.written, $0.value) }, environment)
    var result = CommandLineReader.readOwn(reader.others)
    result.findings.problems += reader.problems
    result.options = meaning.options(serving: application, beside: result.options) + result.options
    result.findings.add(meaning.findings)
    result.accepted += meaning.accepted
    return result
  }

  /// Whether one word names an application, and no option takes it.
  private mutating func find(_ arguments: [String]) -> Bool {
    take(arguments)
    problems = []
    defer { others = [] }
    return application != nil
  }

  private mutating func take(_ arguments: [String]) {
    var rest = arguments[...]
    while let word = rest.popFirst() {
      if !word.hasPrefix("-") || word == "-" {
        if application == nil, Self.isApplication(word) {
          application = word
        } else if application != word {
          others.append(word)
        }
        continue
      }
      let (name, joined) = Self.split(word)
      guard let option = GunicornOption.find(name) else {
        others.append(word)
        let takes =
          OptionTable.index(written: name).map { OptionTable.all[$0].placeholder != nil }
          ?? (UWSGITable.find(name.drop { $0 == "-" })?.1.value == .required)
        if takes, joined == nil, let value = rest.popFirst() { others.append(value) }
        continue
      }
      guard option.takesValue else {
        given.append((option, name, ""))
        if let joined, !joined.isEmpty { take(behind: option, joined, &rest, word) }
        continue
      }
      if let value = joined ?? rest.popFirst() {
        given.append((option, name, value))
      } else {
        problems.append(.missingValue(place: "`\(name)`", written: name, "VALUE"))
      }
    }
  }

  /// Takes what is joined to a flag: further options of one letter, as in `-Rw4`, or a value that it does not
  /// have.
  private mutating func take(
    behind option: GunicornOption, _ joined: String, _ rest: inout ArraySlice<String>, _ word: String
  ) {
    if !word.hasPrefix("--") {
      rest.insert("-" + joined, at: rest.startIndex)
    } else if option.setting != "proxy_protocol" {
      let name = String(word.prefix { $0 != "=" })
      problems.append(.unwantedValue(place: "`\(word)`", written: name))
    }
  }

  /// `--name=value`, `-bVALUE` or `-w4`.
  private static func split(_ word: String) -> (name: String, value: String?) {
    if word.hasPrefix("--") {
      guard let (name, value) = word.cut(at: Ascii.equals) else { return (word, nil) }
      return (String(name), String(value))
    }
    guard word.utf8.count > 2 else { return (word, nil) }
    let value = word.dropFirst(2)
    return (String(word.prefix(2)), String(value.hasPrefix("=") ? value.dropFirst() : value))
  }

  /// `package.module:name` or `module:factory()`: not a file, and not an address.
  private static func isApplication(_ word: String) -> Bool {
    guard let (module, name) = word.cut(at: Ascii.colon), !module.isEmpty, !name.isEmpty else {
      return false
    }
    func isName(_ byte: UInt8) -> Bool {
      Ascii.isLetter(byte) || Ascii.isDigit(byte) || byte == Ascii.underscore || byte == Ascii.dot
    }
    let bare = name.utf8.prefix { $0 != UInt8(ascii: "(") }
    return module.utf8.allSatisfy(isName) && bare.allSatisfy(isName)
      && !Ascii.isDigit(module.utf8.first!) && !Ascii.isDigit(name.utf8.first!)
      && ConfigFormat(ending: module) == nil
  }

  /// Words as in a shell: blanks separate them, quotes hold them together.
  private static func words(_ text: String) -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    for character in text {
      if character == quote {
        quote = nil
      } else if quote == nil, character == "\"" || character == "'" {
        quote = character
        word = word ?? ""
      } else if quote == nil, character == " " || character == "\t" {
        if let done = word { words.append(done) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    return words + (word.map { [$0] } ?? [])
  }
}
