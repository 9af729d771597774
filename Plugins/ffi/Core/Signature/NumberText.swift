// Numbers as text and back: exact for integers, the shortest text that gives the same bits for floats.

/// What is wrong with the text of a number.
enum NumberError: Error, Equatable {
  /// No number at all.
  case malformed
  /// A number with a fraction where an integer is wanted.
  case fraction
  /// Above the greatest or below the lowest value of the type.
  case tooGreat, tooLow

  /// The complaint about `text`, to be put behind the parameter's name.
  func explain(_ text: String, _ scalar: Scalar) -> String {
    let shown = text.utf8.count > 40 ? String(text.prefix(40)) + "…" : text
    switch self {
    case .malformed:
      return scalar == .bool ? "\"\(shown)\" is neither true nor false" : "\"\(shown)\" is no number"
    case .fraction: return "\(shown) has a fraction, and \(scalar.rawValue) is an integer"
    case .tooGreat:
      let highest = scalar.bounds?.highest ?? "\(Double.greatestFiniteMagnitude)"
      return scalar.isFloat
        ? "\(shown) is beyond what \(scalar.withArticle) can hold"
        : "\(shown) is above \(highest), the greatest \(scalar.rawValue)"
    case .tooLow:
      return scalar.isFloat
        ? "\(shown) is beyond what \(scalar.withArticle) can hold"
        : "\(shown) is below \(scalar.bounds?.lowest ?? ""), the lowest \(scalar.rawValue)"
    }
  }
}

enum NumberText {
  /// Reads a number: a JSON number (RFC 8259 §6), for floats also NaN, Infinity and -Infinity, for bool
  /// also true and false.
  static func parse(_ text: String, as scalar: Scalar) throws(NumberError) -> Number {
    switch scalar {
    case .bool:
      switch text {
      case "true": return .bool(true)
      case "false": return .bool(false)
      default: throw .malformed
      }
    case .f32:
      if let value: Float = special(text) { return .float(value) }
      guard isNumber(text), let value = Float(text) else { throw .malformed }
      if value.isInfinite { throw value > 0 ? .tooGreat : .tooLow }
      return .float(value)
    case .f64:
      if let value: Double = special(text) { return .double(value) }
      guard isNumber(text), let value = Double(text) else { throw .malformed }
      if value.isInfinite { throw value > 0 ? .tooGreat : .tooLow }
      return .double(value)
    default:
      return try integer(text, as: scalar)
    }
  }

  /// The text of a value: what JSON writes for it, but for NaN and the infinities, which JSON lacks.
  static func text(_ number: Number) -> String {
    switch number {
    case .signed(let value): "\(value)"
    case .unsigned(let value): "\(value)"
    case .bool(let value): value ? "true" : "false"
    case .float(let value): text(value, exact: 16_777_216)
    case .double(let value): text(value, exact: 9_007_199_254_740_992)
    }
  }

  /// Whole numbers below `exact` lose their ".0": {"result":1024} and not 1024.0.
  private static func text<Value: BinaryFloatingPoint & LosslessStringConvertible>(
    _ value: Value, exact: Value
  ) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "Infinity" : "-Infinity" }
    let text = "\(value)"
    return value.magnitude < exact && text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  private static func special<Value: BinaryFloatingPoint>(_ text: String) -> Value? {
    switch text {
    case "NaN": .nan
    case "Infinity": .infinity
    case "-Infinity": -.infinity
    default: nil
    }
  }

  /// Digits, with the exponents and fractions that leave a whole number: 1e3 and 2.0 are integers to JSON.
  private static func integer(_ text: String, as scalar: Scalar) throws(NumberError) -> Number {
    guard isNumber(text) else { throw .malformed }
    let isNegative = text.utf8.first == UInt8(ascii: "-")
    let digits = isNegative ? text.dropFirst() : text[...]
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
      return try whole(of: text, as: scalar)
    }
    if scalar.isSigned {
      guard let value = Int64(text) else { throw isNegative ? .tooLow : .tooGreat }
      return .signed(try bounded(value, scalar))
    }
    guard let value = UInt64(digits) else { throw isNegative ? .tooLow : .tooGreat }
    if isNegative, value != 0 { throw .tooLow }
    guard value <= greatest(scalar) else { throw .tooGreat }
    return .unsigned(value)
  }

  /// What has a point or an exponent: exact up to 2^53, where a double holds every integer.
  private static func whole(of text: String, as scalar: Scalar) throws(NumberError) -> Number {
    guard let value = Double(text) else { throw .malformed }
    guard value.magnitude < 9_007_199_254_740_992 else { throw value > 0 ? .tooGreat : .tooLow }
    guard let exact = Int64(exactly: value) else { throw .fraction }
    return try integer("\(exact)", as: scalar)
  }

  private static func bounded(_ value: Int64, _ scalar: Scalar) throws(NumberError) -> Int64 {
    let shift = 64 - scalar.size * 8
    if value > Int64.max >> shift { throw .tooGreat }
    if value < Int64.min >> shift { throw .tooLow }
    return value
  }

  private static func greatest(_ scalar: Scalar) -> UInt64 { UInt64.max >> (64 - scalar.size * 8) }

  /// number = [ "-" ] int [ frac ] [ exp ] (RFC 8259 §6).
  static func isNumber(_ text: String) -> Bool {
    var bytes = text.utf8[...]
    func digits() -> Int {
      let count = bytes.prefix { (0x30...0x39).contains($0) }.count
      bytes = bytes.dropFirst(count)
      return count
    }
    if bytes.first == UInt8(ascii: "-") { bytes = bytes.dropFirst() }
    let hasLeadingZero = bytes.first == UInt8(ascii: "0")
    let whole = digits()
    guard whole > 0, whole == 1 || !hasLeadingZero else { return false }
    if bytes.first == UInt8(ascii: ".") {
      bytes = bytes.dropFirst()
      guard digits() > 0 else { return false }
    }
    if let mark = bytes.first, mark | 0x20 == UInt8(ascii: "e") {
      bytes = bytes.dropFirst()
      if bytes.first == UInt8(ascii: "-") || bytes.first == UInt8(ascii: "+") { bytes = bytes.dropFirst() }
      guard digits() > 0 else { return false }
    }
    return bytes.isEmpty
  }
}
