// Why a value is refused, apart from addresses.

/// An error that says what is wrong and what to do about it, each without a full stop.
public protocol ComplaintError: Error, Equatable, CustomStringConvertible {
  /// What is wrong.
  var problem: String { get }
  /// What to do about it.
  var fix: String { get }
}

extension ComplaintError {
  /// Both halves of the sentence.
  public var description: String { "\(problem); \(fix)" }
}

/// Why the value of an option is refused.
public enum ValueError: ComplaintError {
  case address(AddressError)
  /// The same if a port alone means 127.0.0.1.
  case watchAddress(AddressError)
  case notABoolean(String)
  case notANumber(String, example: String)
  case outOfRange(String, lowest: String, highest: String)
  case notOctal(String)
  case unknownWord(String, known: [String])
  case empty(example: String)
  case notANetwork(String)
  case badPrefix(String, widest: Int)
  case bitsBeyondPrefix(String)
  case optionWithoutEquals(String)
  case badMount(String)
  case badSymbol(String)
  case colonInPath(String)
  case moduleIsPath(String)
  case variableWithoutEquals(String)
  case signatureIncomplete(String)
  case badStaticMap(String)
  case badOwnPath(String, example: String)
  case badHostName(String)
  case badPattern(String)
  /// A rule, or a part of one, that makes no sense.
  case rule(String, problem: String, fix: String)
  case notBuilt(what: String, instead: String)
  case unknownLogValue(String)
  case openLogValue(String)
  case routeWithoutPattern(String)
  case openEncoderValue(String)
  case unknownEncoderValue(String)
  case programWithout(String, String)

  /// What is wrong.
  public var problem: String {
    switch self {
    case .address(let error), .watchAddress(let error): error.problem
    case .notABoolean(let text): "\"\(text)\" is neither true nor false"
    case .notANumber(let text, _): "\"\(text)\" is not a number"
    case .outOfRange(let text, let lowest, let highest): "\(text) is not between \(lowest) and \(highest)"
    case .notOctal(let text): "\"\(text)\" is not an octal mode"
    case .unknownWord(let text, _): "\"\(text)\" is not known"
    case .empty: "the value is empty"
    case .notANetwork(let text): "\"\(text)\" is not an address or a network"
    case .badPrefix(let text, _): "\"\(text)\" is not the length of a network prefix"
    case .bitsBeyondPrefix(let text): "\(text) has bits set beyond its prefix"
    case .optionWithoutEquals(let text): "\"\(text)\" has no key and value"
    case .badMount(let text): "\"\(text)\" is not a mount point"
    case .badSymbol(let text): "\"\(text)\" is not a symbol's name"
    case .colonInPath(let text): "there is no file \(text), and no symbol stands behind its colon"
    case .moduleIsPath(let text): "\"\(text)\" is a path and no module"
    case .variableWithoutEquals(let text): "\"\(text)\" has no name and value"
    case .signatureIncomplete(let text): "\"\(text)\" names no function of a library with its parameters"
    case .badStaticMap(let text): "\"\(text)\" names no prefix and directory"
    case .badOwnPath(let text, _): "\"\(text)\" is not a path as clients ask for it"
    case .badHostName(let text): "\"\(text.shortened)\" is not the name of a host alone"
    case .badPattern(let text): "\"\(text.shortened)\" is not a regular expression that can be used here"
    case .rule(let text, let problem, _): "\"\(text)\" \(problem)"
    case .notBuilt(let what, _): "\(what) is not built yet"
    case .unknownLogValue(let name): "%(\(name)) is nothing that a request's line can have"
    case .openLogValue(let text): "a %( of \"\(text)\" has no end"
    case .routeWithoutPattern(let text): "\"\(text)\" has no pattern"
    case .openEncoderValue(let text): "a ${ of \"\(text)\" has no end"
    case .programWithout(let text, _): "\"\(text)\" lacks something"
    case .unknownEncoderValue(let name): "${\(name)} is nothing that a line has"
    }
  }

  /// What to do about it.
  public var fix: String {
    switch self {
    case .address(let error): error.fix
    case .watchAddress(let error): error.fixForWatchers
    case .notABoolean: "write true or false"
    case .notANumber(_, let example): "write a number, as in \(example)"
    case .outOfRange(_, let lowest, let highest): "choose from \(lowest) to \(highest)"
    case .notOctal: "write three or four digits from 0 to 7, as in 660"
    case .unknownWord(_, let known): "choose one of \(known.list)"
    case .empty(let example): "write it as in \(example)"
    case .notANetwork: "write 10.0.0.0/8, 127.0.0.1, fd00::/8 or unix"
    case .badPrefix(_, let widest): "write a number from 0 to \(widest)"
    case .bitsBeyondPrefix: "write the network's first address"
    case .optionWithoutEquals: "write key=value, or /mount:key=value for one app"
    case .badMount: "write it as in /blog=PATH, without empty, . or .. parts"
    case .badSymbol: "write PATH:symbol with a C identifier"
    case .colonInPath: "correct the path, or write PATH:symbol with a C identifier"
    case .moduleIsPath(let text): "write --wsgi-file \(text), or the name that Python imports it by"
    case .variableWithoutEquals: "write NAME=value"
    case .signatureIncomplete: "write it as in /pow=libm.so.6:pow(x: f64, y: f64) -> f64"
    case .badStaticMap: "write /static=/srv/www/static"
    case .badOwnPath(_, let example): "begin with a slash and leave out blanks and queries, as in \(example)"
    case .badHostName: "write it without scheme and port, as in status.example.org"
    case .badPattern: "use . [] ^ $ | () * + ? {m,n} \\d \\w \\s, and (?i) for either case"
    case .rule(_, _, let fix): fix
    case .notBuilt(_, let instead): instead
    case .unknownLogValue:
      "choose from \(LogValue.Plain.allCases.map(\.rawValue).list), or write %(var.NAME) for a variable of "
        + "the request, %(logvar.NAME) for one that the application sets, or %(metric.requests)"
    case .routeWithoutPattern: "write the name of a logger, a blank and a regular expression"
    case .openEncoderValue: "write ${msg}"
    case .programWithout(_, let shape): "write it as in \(shape)"
    case .unknownEncoderValue: "choose from msg, message, level, unix, micros, iso and strftime:FORMAT"
    case .openLogValue: "write %(name), as in '%(method) %(uri) %(status)'"
    }
  }
}

extension [String] {
  /// "a, b or c".
  var list: String { count < 2 ? joined() : dropLast().joined(separator: ", ") + " or " + self[count - 1] }
}
