// What a client gave for one parameter, and its way into the memory of a call.

/// Why a request cannot be carried out.
struct RequestError: Error, Equatable {
  var status: Int
  /// Plain English.
  var detail: String
  /// The parameter it is about.
  var parameter: String?
  /// The Allow field of a 405.
  var allow: String?

  init(_ status: Int, _ detail: String, parameter: String? = nil, allow: String? = nil) {
    (self.status, self.detail, self.parameter, self.allow) = (status, detail, parameter, allow)
  }

  /// A 400 about a value; `name` is the parameter's, with members: "p.x".
  static func bad(_ name: String, _ reason: String) -> RequestError {
    RequestError(400, "\(name): \(reason)", parameter: name)
  }
}

/// The value of one parameter as a request brought it.
enum Given: Equatable, Sendable {
  /// A member of a JSON body.
  case json(JSONValue)
  /// Fields of a query or a form: what stands behind the parameter's name ("" or ".member"), and the value.
  case form([Field])
  /// The body itself.
  case body([UInt8])

  struct Field: Equatable, Sendable {
    var suffix: String
    var value: [UInt8]
  }

  /// The fields of one member of a struct.
  private static func member(_ name: String, of fields: [Field]) -> [Field] {
    let prefix = "." + name
    return fields.compactMap { field in
      guard field.suffix.hasPrefix(prefix) else { return nil }
      let rest = String(field.suffix.dropFirst(prefix.count))
      return rest.isEmpty || rest.hasPrefix(".") ? Field(suffix: rest, value: field.value) : nil
    }
  }

  // MARK: Numbers

  func number(_ scalar: Scalar, _ name: String) throws(RequestError) -> Number {
    switch self {
    case .json(let value): return try Self.number(value, scalar, name)
    case .form(let fields):
      guard fields.count == 1, fields[0].suffix.isEmpty else { throw Self.notOne(fields, name) }
      return try Self.number(fields[0].value, scalar, name)
    case .body: throw .bad(name, "a number is wanted")
    }
  }

  private static func number(
    _ value: JSONValue, _ scalar: Scalar, _ name: String
  ) throws(RequestError) -> Number {
    let text: String
    switch value {
    case .number(let digits) where scalar != .bool: text = digits
    case .bool(let value) where scalar == .bool: return .bool(value)
    case .string(let special) where scalar.isFloat && ["NaN", "Infinity", "-Infinity"].contains(special):
      text = special
    default:
      throw .bad(name, "\(scalar == .bool ? "true or false" : "a number") is wanted, not \(value.kind)")
    }
    return try parse(text, scalar, name)
  }

  private static func number(
    _ bytes: [UInt8], _ scalar: Scalar, _ name: String
  ) throws(RequestError) -> Number {
    try parse(String(decoding: bytes, as: UTF8.self), scalar, name)
  }

  private static func parse(
    _ text: String, _ scalar: Scalar, _ name: String
  ) throws(RequestError) -> Number {
    do {
      return try NumberText.parse(text, as: scalar)
    } catch {
      throw .bad(name, error.explain(text, scalar))
    }
  }

  private static func notOne(_ fields: [Field], _ name: String) -> RequestError {
    let isThere = fields.contains { $0.suffix.isEmpty }
    return .bad(name, isThere ? "it stands there more than once" : "it has no members")
  }

  /// The numbers of an array.
  func numbers(_ scalar: Scalar, _ name: String, most: Int) throws(RequestError) -> [Number] {
    var numbers: [Number] = []
    switch self {
    case .json(.array(let elements)):
      try Self.checkCount(elements.count, most, name)
      for (index, element) in elements.enumerated() {
        numbers.append(try Self.number(element, scalar, "\(name)[\(index)]"))
      }
    case .form(let fields):
      try Self.checkCount(fields.count, most, name)
      for (index, field) in fields.enumerated() {
        guard field.suffix.isEmpty else { throw .bad(name, "it has no members") }
        numbers.append(try Self.number(field.value, scalar, "\(name)[\(index)]"))
      }
    case .json(let value): throw .bad(name, "an array is wanted, not \(value.kind)")
    case .body: throw .bad(name, "an array is wanted")
    }
    return numbers
  }

  private static func checkCount(_ count: Int, _ most: Int, _ name: String) throws(RequestError) {
    if count > most { throw .bad(name, "\(count) elements are more than \(most)") }
  }

  // MARK: Plain values

  /// Writes the value at `place` as C stores it.
  func store(
    _ type: PlainType, at place: UnsafeMutableRawPointer, _ name: String
  ) throws(RequestError) {
    switch type {
    case .scalar(let scalar): try number(scalar, name).store(as: scalar, at: place)
    case .structure(let structure): try store(structure, at: place, name)
    }
  }

  private func store(
    _ type: StructType, at place: UnsafeMutableRawPointer, _ name: String
  ) throws(RequestError) {
    try checkMembers(of: type, name)
    for field in type.fields {
      let member = "\(name).\(field.name)"
      guard let given = self.member(field.name) else { throw .bad(member, "it is missing") }
      guard let count = field.count, case .scalar(let scalar) = field.type else {
        try given.store(field.type, at: place + field.offset, member)
        continue
      }
      let numbers = try given.numbers(scalar, member, most: count)
      guard numbers.count == count else {
        throw .bad(member, "\(count) elements are wanted, not \(numbers.count)")
      }
      for (index, number) in numbers.enumerated() {
        number.store(as: scalar, at: place + field.offset + index * scalar.size)
      }
    }
  }

  private func checkMembers(of type: StructType, _ name: String) throws(RequestError) {
    switch self {
    case .json(.object(let members)):
      for member in members where !type.fields.contains(where: { $0.name == member.name }) {
        throw .bad("\(name).\(member.name)", "there is no such member")
      }
    case .form(let fields):
      for field in fields {
        let first = field.suffix.dropFirst().prefix { $0 != "." }
        guard type.fields.contains(where: { $0.name == first }) else {
          throw .bad(name + field.suffix, "members are given as \(name).\(type.fields[0].name)")
        }
      }
    case .json(let value): throw .bad(name, "an object is wanted, not \(value.kind)")
    case .body: throw .bad(name, "an object is wanted")
    }
  }

  private func member(_ name: String) -> Given? {
    switch self {
    case .json(let value): return value[name].map { .json($0) }
    case .form(let fields):
      let found = Self.member(name, of: fields)
      return found.isEmpty ? nil : .form(found)
    case .body: return nil
    }
  }

  // MARK: Text and bytes

  /// Text for a C string: UTF-8 without a NUL; nil for JSON's null.
  func text(_ name: String, most: Int) throws(RequestError) -> [UInt8]? {
    let bytes: [UInt8]
    switch self {
    case .json(.string(let string)): bytes = Array(string.utf8)
    case .json(.null): return nil
    case .json(let value): throw .bad(name, "a string is wanted, not \(value.kind)")
    case .form, .body:
      bytes = try raw(name)
      if String(validating: bytes, as: UTF8.self) == nil { throw .bad(name, "it is not UTF-8") }
    }
    if bytes.contains(0) { throw .bad(name, "it holds a NUL, which ends a C string") }
    try Self.checkLength(bytes.count, most, name)
    return bytes
  }

  /// Bytes: base64 in JSON, as they are elsewhere.
  func bytes(_ name: String, most: Int) throws(RequestError) -> [UInt8] {
    let bytes: [UInt8]
    switch self {
    case .json(.string(let string)):
      guard let decoded = Base64.bytes(of: string) else {
        throw .bad(name, "it is not base64 (RFC 4648 §4)")
      }
      bytes = decoded
    case .json(let value): throw .bad(name, "a string in base64 is wanted, not \(value.kind)")
    case .form, .body: bytes = try raw(name)
    }
    try Self.checkLength(bytes.count, most, name)
    return bytes
  }

  private func raw(_ name: String) throws(RequestError) -> [UInt8] {
    switch self {
    case .body(let bytes): return bytes
    case .form(let fields):
      guard fields.count == 1, fields[0].suffix.isEmpty else { throw Self.notOne(fields, name) }
      return fields[0].value
    case .json: return []
    }
  }

  private static func checkLength(_ count: Int, _ most: Int, _ name: String) throws(RequestError) {
    if count > most { throw .bad(name, "\(count) bytes are more than \(most)") }
  }
}
