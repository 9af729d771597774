// The grammar of signatures (docs/FFI.md):
//   [/path =] [library :] symbol ( [parameter {, parameter}] ) [-> result] {attribute}
// Types are in TypeParser.swift, what fits together in SignatureRules.swift.

/// Reads one signature.
struct SignatureParser {
  var scanner: Scanner
  /// Structs declared so far, by name.
  let structs: [String: StructType]

  /// Reads `text`. `library` is the one that symbols without one belong to, `attributes` are theirs.
  static func parse(
    _ text: String, library: String? = nil, structs: [String: StructType] = [:],
    attributes: Attributes = Attributes()
  ) throws(SignatureError) -> Endpoint {
    let front = try Front(text, library: library)
    var parser = SignatureParser(scanner: Scanner(text, from: front.open), structs: structs)
    var signature = Signature(library: front.library, symbol: front.symbol)
    signature.attributes = attributes
    signature.column = front.column
    try parser.parameters(into: &signature)
    try parser.result(into: &signature)
    try parser.attributes(into: &signature.attributes)
    try SignatureRules.check(signature)
    return Endpoint(path: front.path ?? "/\(front.symbol)", signature: signature)
  }

  // MARK: Parameters

  private mutating func parameters(into signature: inout Signature) throws(SignatureError) {
    try scanner.expect("(", "has to open the parameters")
    if scanner.take(")") { return }
    repeat {
      let column = scanner.column
      if scanner.sees("...") {
        throw SignatureError(
          "a function with a variable number of arguments cannot be called safely: their types are not"
            + " declared", column: column)
      }
      guard let name = scanner.name() else {
        throw SignatureError("a parameter's name is wanted, not \(scanner.next)", column: column)
      }
      try scanner.expect(":", "has to stand between the parameter \(name) and its type")
      var parameter = Parameter(name: name, type: try parameterType(name), column: column)
      try refuseBitField()
      try binding(of: &parameter)
      signature.parameters.append(parameter)
    } while scanner.take(",")
    try scanner.expect(")", "or \",\" has to follow a parameter")
  }

  /// `in LOW..HIGH`, `= CONSTANT`, `= null`, `= len(NAME)`, `?= CONSTANT`, in this order.
  private mutating func binding(of parameter: inout Parameter) throws(SignatureError) {
    if scanner.takeWord("in") { parameter.range = try range() }
    if scanner.take("?=") {
      parameter.binding = .optional(try constant(for: parameter))
    } else if scanner.take("=") {
      if scanner.takeWord("null") {
        parameter.binding = .null
      } else if scanner.takeWord("len") {
        parameter.binding = .length(of: try lengthTarget())
      } else {
        parameter.binding = .constant(try constant(for: parameter))
      }
    }
  }

  private mutating func lengthTarget() throws(SignatureError) -> String {
    try scanner.expect("(", "has to follow len")
    let column = scanner.column
    guard let name = scanner.name() else {
      throw SignatureError("len wants the name of a parameter, not \(scanner.next)", column: column)
    }
    try scanner.expect(")", "has to close len")
    return name
  }

  private mutating func range() throws(SignatureError) -> ClosedRange<Double> {
    let column = scanner.column
    guard let low = scanner.number(), scanner.take(".."), let high = scanner.number(),
      let lowest = Double(low), let highest = Double(high), lowest <= highest
    else {
      throw SignatureError("a range is written LOWEST..HIGHEST, such as 0..100", column: column)
    }
    return lowest...highest
  }

  /// A number of the parameter's type.
  private mutating func constant(for parameter: Parameter) throws(SignatureError) -> Number {
    let column = scanner.column
    let scalar: Scalar
    switch parameter.type {
    case .plain(.scalar(let type)), .pointer(.scalar(let type), .input): scalar = type
    default:
      throw SignatureError(
        "only numbers can be given here; \(parameter.name) is none", column: column)
    }
    return try number(of: scalar)
  }

  /// A number, or true or false, of a known type.
  mutating func number(of scalar: Scalar) throws(SignatureError) -> Number {
    let column = scanner.column
    guard let text = scanner.number() ?? scanner.name() else {
      throw SignatureError("a number is wanted, not \(scanner.next)", column: column)
    }
    do {
      return try NumberText.parse(text, as: scalar)
    } catch {
      throw SignatureError(error.explain(text, scalar), column: column)
    }
  }

  mutating func refuseBitField() throws(SignatureError) {
    if scanner.sees(":") {
      throw SignatureError(
        "bit-fields cannot be passed: where they lie is up to the compiler", column: scanner.column)
    }
  }

  // MARK: Result and attributes

  private mutating func result(into signature: inout Signature) throws(SignatureError) {
    guard scanner.take("->") else { return }
    signature.result = try resultType()
    if scanner.take("=") {
      let column = scanner.column
      guard scanner.takeWord("len") else {
        throw SignatureError("only len(NAME) can follow \"=\" here, not \(scanner.next)", column: column)
      }
      signature.resultIsLengthOf = try lengthTarget()
    }
  }

  /// Words behind a signature, or behind `library`.
  mutating func attributes(into attributes: inout Attributes) throws(SignatureError) {
    while !scanner.isAtEnd {
      let column = scanner.column
      guard let word = scanner.name() else {
        throw SignatureError(
          "an attribute or the end is wanted, not \(scanner.next); attributes are \(Self.attributeList)",
          column: column)
      }
      switch word {
      case "pure": attributes.isPure = true
      case "threadsafe": attributes.isThreadsafe = true
      case "errno": attributes.reportsErrno = true
      case "fails", "max", "type", "init":
        try scanner.expect("=", "has to follow \(word)")
        try set(word, scanner.untilSpace(), column, &attributes)
      default:
        throw SignatureError(
          "\(word) is no attribute; attributes are \(Self.attributeList)", column: column)
      }
    }
  }

  static let attributeList = "pure, threadsafe, errno, fails=, max=, type=, init="

  private func set(
    _ word: String, _ value: String, _ column: Int, _ attributes: inout Attributes
  ) throws(SignatureError) {
    switch word {
    case "fails":
      guard let failure = Failure(rawValue: value) else {
        let list = Failure.allCases.map(\.rawValue).joined(separator: ", ")
        throw SignatureError("fails= is one of \(list), not \"\(value)\"", column: column)
      }
      attributes.fails = failure
    case "max":
      guard let bytes = Int(value), (1...(1 << 30)).contains(bytes) else {
        throw SignatureError("max= is a number of bytes from 1 to \(1 << 30)", column: column)
      }
      attributes.maxBytes = bytes
    case "type":
      let parts = value.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      let isPrintable = value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
      guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }), isPrintable else {
        throw SignatureError("type= is a media type such as image/png", column: column)
      }
      attributes.mediaType = value
    default:
      guard !value.isEmpty, value.utf8.allSatisfy(Scanner.isNamePart) else {
        throw SignatureError("init= is the name of a function", column: column)
      }
      attributes.initialiser = value
    }
  }
}

/// What stands before the parenthesis: `[/path =] [library :] symbol`.
private struct Front {
  var path: String?
  var library: String
  var symbol: String
  var column: Int
  /// Bytes before the parenthesis.
  var open: Int

  /// `/srv/app=blue/lib.so:` is the library that is there by that name, and no path of an endpoint.
  private static func isLibrary(_ front: ArraySlice<UInt8>) -> Bool {
    front.last == UInt8(ascii: ":")
      && LibrarySystem.isFile(String(decoding: trimmed(front.dropLast()), as: UTF8.self))
  }

  init(_ text: String, library known: String?) throws(SignatureError) {
    let bytes = Array(text.utf8)
    guard let open = bytes.firstIndex(of: UInt8(ascii: "(")) else {
      throw SignatureError(
        "no \"(\": a signature is written LIBRARY:SYMBOL(NAME: TYPE, …) -> TYPE",
        column: Scanner.column(of: bytes.count, in: bytes))
    }
    self.open = open
    var end = open
    while end > 0, bytes[end - 1] == 0x20 { end -= 1 }
    var start = end
    while start > 0, Scanner.isNamePart(bytes[start - 1]) { start -= 1 }
    column = Scanner.column(of: start, in: bytes)
    symbol = String(decoding: bytes[start..<end], as: UTF8.self)
    guard let first = bytes[start..<end].first, !Scanner.isDigit(first) else {
      throw SignatureError("the name of a function is wanted before \"(\"", column: column)
    }
    var front = Self.trimmed(bytes[..<start])
    if !Self.isLibrary(front), front.first == UInt8(ascii: "/"),
      let equals = front.firstIndex(of: UInt8(ascii: "="))
    {
      path = try Self.path(Self.trimmed(front[..<equals]), bytes)
      front = Self.trimmed(front[(equals + 1)...])
    }
    if front.last == UInt8(ascii: ":") {
      library = String(decoding: Self.trimmed(front.dropLast()), as: UTF8.self)
      guard !library.isEmpty, !library.utf8.contains(0) else {
        throw SignatureError("the library is missing before \":\"", column: column)
      }
    } else if let known, front.isEmpty {
      library = known
    } else {
      throw SignatureError(
        "the library is missing: write LIBRARY:\(symbol)(…), such as libm.so.6:pow(…)", column: column)
    }
  }

  /// A path as requests have it: unreserved characters, no empty, "." or ".." segments.
  private static func path(_ path: ArraySlice<UInt8>, _ all: [UInt8]) throws(SignatureError) -> String {
    let column = Scanner.column(of: path.startIndex, in: all)
    let segments = path.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    for segment in segments {
      let isPlain = segment.allSatisfy { Scanner.isNamePart($0) || $0 == 0x2d || $0 == 0x2e || $0 == 0x7e }
      guard isPlain, !segment.isEmpty, !segment.allSatisfy({ $0 == 0x2e }) else {
        throw SignatureError(
          "a path is /NAME or /NAME/NAME of letters, digits, \"_\", \"-\", \".\" and \"~\"", column: column)
      }
    }
    return String(decoding: path, as: UTF8.self)
  }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0a }
    var rest = bytes.drop(while: isSpace)
    while let last = rest.last, isSpace(last) { rest = rest.dropLast() }
    return rest
  }
}
