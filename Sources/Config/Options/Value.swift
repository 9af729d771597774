// Values as text -> numbers, with bounds. Digits only: no sign, no exponent, no surprises.

enum Value {
  /// A flag's value in an ini file, a variable or after `=`.
  static func boolean(_ text: String) throws(ValueError) -> Bool {
    switch text.lowercased() {
    case "true", "yes", "on", "1": return true
    case "false", "no", "off", "0": return false
    default: throw .notABoolean(text)
    }
  }

  /// A whole number.
  static func number(_ text: String, _ bounds: ClosedRange<Int>) throws(ValueError) -> Int {
    guard let value = whole(text[...]) else { throw .notANumber(text, example: "\(bounds.upperBound)") }
    return Int(try bounded(value, Int64(bounds.lowerBound)...Int64(bounds.upperBound), text))
  }

  /// A number of bytes, with `k`, `m` or `g` for powers of 1024.
  static func bytes(_ text: String, _ bounds: ClosedRange<Int64>) throws(ValueError) -> Int64 {
    let digits = text[...].prefix { $0.isASCII && $0.isNumber }
    let shift: Int64? =
      switch text[digits.endIndex...].lowercased() {
      case "", "b": 0
      case "k", "kb", "kib": 10
      case "m", "mb", "mib": 20
      case "g", "gb", "gib": 30
      default: nil
      }
    guard let shift, let value = whole(digits) else { throw .notANumber(text, example: "65536 or 64k") }
    return try bounded(value > Int64.max >> shift ? .max : value << shift, bounds, text)
  }

  /// Seconds, optionally with a fraction.
  static func seconds(_ text: String, _ bounds: ClosedRange<Double>) throws(ValueError) -> Double {
    try decimal(text, bounds, example: "30 or 0.5")
  }

  /// A factor, optionally with a fraction; 0 stands for none.
  static func factor(_ text: String, _ bounds: ClosedRange<Double>) throws(ValueError) -> Double {
    try decimal(text, Double(text) == 0 ? 0...0 : bounds, example: "2 or 1.5")
  }

  /// Digits, optionally with a decimal point.
  private static func decimal(
    _ text: String, _ bounds: ClosedRange<Double>, example: String
  ) throws(ValueError) -> Double {
    let dots = text.utf8.count { $0 == Ascii.dot }
    guard dots <= 1, text.utf8.allSatisfy({ Ascii.isDigit($0) || $0 == Ascii.dot }), let value = Double(text)
    else {
      throw .notANumber(text, example: example)
    }
    guard bounds.contains(value) else {
      throw .outOfRange(text, lowest: spell(bounds.lowerBound), highest: spell(bounds.upperBound))
    }
    return value
  }

  /// Permission bits in octal.
  static func octal(_ text: String, highest: UInt32 = 0o7777) throws(ValueError) -> UInt32 {
    guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy(Ascii.isDigit) else {
      throw .notOctal(text)
    }
    guard let value = UInt32(text, radix: 8), value <= highest else { throw .notOctal(text) }
    return value
  }

  /// Any text that is not empty.
  static func text(_ text: String, example: String) throws(ValueError) -> String {
    if text.isEmpty { throw .empty(example: example) }
    return text
  }

  /// A number without a needless fraction: 30, 0.5.
  static func spell(_ value: Double) -> String {
    value == value.rounded() ? "\(Int64(value))" : "\(value)"
  }

  /// Decimal digits only; a number too large for the type becomes its maximum, and fails its bounds.
  private static func whole(_ digits: Substring) -> Int64? {
    guard !digits.isEmpty, digits.utf8.allSatisfy(Ascii.isDigit) else { return nil }
    return Int64(digits) ?? .max
  }

  private static func bounded(
    _ value: Int64, _ bounds: ClosedRange<Int64>, _ text: String
  ) throws(ValueError) -> Int64 {
    guard bounds.contains(value) else {
      throw .outOfRange(text, lowest: "\(bounds.lowerBound)", highest: "\(bounds.upperBound)")
    }
    return value
  }
}
