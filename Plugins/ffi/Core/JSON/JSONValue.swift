// JSON (RFC 8259). Numbers stay text, so that no digit of a 64-bit integer is lost on the way.

/// One JSON value.
enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  /// As written: `-0`, `1e3`, `18446744073709551615`.
  case number(String)
  case string(String)
  case array([JSONValue])
  /// Members in their order; names are unique.
  case object([Member])

  struct Member: Equatable, Sendable {
    var name: String
    var value: JSONValue

    init(_ name: String, _ value: JSONValue) { (self.name, self.value) = (name, value) }
  }

  static func number(_ value: Int) -> JSONValue { .number("\(value)") }

  /// What complaints call it.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a truth value"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }

  /// The member of a name; nil if there is none, or no members at all.
  subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
  ExpressibleByBooleanLiteral
{
  init(stringLiteral value: String) { self = .string(value) }
  init(booleanLiteral value: Bool) { self = .bool(value) }
  init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { Member($0.0, $0.1) })
  }
}
