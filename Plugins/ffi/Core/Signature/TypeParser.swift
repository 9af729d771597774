// Types in signatures: what they look like, and why some are refused.

extension SignatureParser {
  // MARK: Parameters

  /// The type of a parameter, without its binding.
  mutating func parameterType(_ name: String) throws(SignatureError) -> ParameterType {
    let column = scanner.column
    if scanner.take("*") { return .pointer(try pointee(), .input) }
    if scanner.takeWord("out") { return try output() }
    if scanner.takeWord("inout") {
      let type = try plainType()
      guard scanner.take("[") else { return .pointer(type, .both) }
      try scanner.expect("]", "has to follow \"[\": the client decides how long the array is")
      return .array(try element(type, column), .both)
    }
    if scanner.takeWord("close") {
      guard scanner.takeWord("handle") else {
        throw SignatureError("only a handle(…) can be closed, not \(scanner.next)", column: scanner.column)
      }
      return .handle(tag: try tag(), closes: true)
    }
    if scanner.takeWord("handle") { return .handle(tag: try tag(), closes: false) }
    if scanner.takeWord("cstr") {
      try refusePointerArray(column)
      return .text(isOptional: scanner.sees("?=") ? false : scanner.take("?"))
    }
    if scanner.takeWord("bytes") { return .bytes }
    if scanner.takeWord("callback") { return .callback(try callback()) }
    if scanner.takeWord("ptr") { return .opaque }
    let type = try plainType()
    guard scanner.take("[") else { return .plain(type) }
    try scanner.expect("]", "has to follow \"[\": the client decides how long the array is")
    return .array(try element(type, column), .input)
  }

  /// Behind `out`.
  private mutating func output() throws(SignatureError) -> ParameterType {
    let column = scanner.column
    if scanner.take("[") {
      let capacity = try count("a number of bytes")
      return .buffer(capacity: capacity, isText: scanner.takeWord("cstr"))
    }
    if scanner.takeWord("handle") { return .outHandle(tag: try tag(), try ownership()) }
    if scanner.takeWord("cstr") { return .outText(try ownership()) }
    if scanner.sees("*") { throw Self.pointerToPointer(column) }
    let type = try plainType()
    guard scanner.take("[") else { return .pointer(type, .output) }
    return .outArray(try element(type, column), count: try count("a number of elements"))
  }

  /// Behind `*`.
  private mutating func pointee() throws(SignatureError) -> PlainType {
    let column = scanner.column
    let isPointer =
      scanner.sees("*")
      || ["cstr", "ptr", "bytes", "handle", "callback"].contains { word in
        var copy = scanner
        return copy.takeWord(word)
      }
    if isPointer { throw Self.pointerToPointer(column) }
    return try plainType()
  }

  /// A number and "]", behind "[".
  private mutating func count(_ what: String) throws(SignatureError) -> Int {
    let column = scanner.column
    guard let text = scanner.number(), let count = Int(text), (1...(1 << 26)).contains(count) else {
      throw SignatureError("\(what) from 1 to \(1 << 26) is wanted between the brackets", column: column)
    }
    try scanner.expect("]", "has to close the bracket")
    return count
  }

  private func element(_ type: PlainType, _ column: Int) throws(SignatureError) -> Scalar {
    guard case .scalar(let scalar) = type else {
      throw SignatureError("arrays are of numbers; arrays of structs cannot be passed", column: column)
    }
    return scalar
  }

  private mutating func tag() throws(SignatureError) -> String {
    try scanner.expect("(", "has to follow handle: handle(NAME) says what it is a handle of")
    let column = scanner.column
    guard let name = scanner.name() else {
      throw SignatureError("a handle wants a name, such as handle(sqlite3)", column: column)
    }
    try scanner.expect(")", "has to close handle")
    return name
  }

  /// `borrowed` (also when nothing is said) or `free=SYMBOL`.
  private mutating func ownership() throws(SignatureError) -> Ownership {
    if scanner.takeWord("borrowed") { return .borrowed }
    guard scanner.takeWord("free") else { return .borrowed }
    try scanner.expect("=", "has to follow free")
    let column = scanner.column
    guard let symbol = scanner.name() else {
      throw SignatureError("free= wants the name of a function, such as free=free", column: column)
    }
    return .free(symbol: symbol)
  }

  // MARK: Results

  mutating func resultType() throws(SignatureError) -> ResultType {
    let column = scanner.column
    if scanner.takeWord("void") { return .void }
    if scanner.takeWord("cstr") {
      try refusePointerArray(column)
      return .text(try ownership())
    }
    if scanner.takeWord("handle") { return .handle(tag: try tag(), try ownership()) }
    if scanner.take("*") { return .pointer(try pointee()) }
    for word in ["bytes", "callback", "ptr"] where scanner.takeWord(word) {
      throw SignatureError(
        "\(word) cannot be returned: nothing says how long it is; use cstr, a pointer to a struct or a"
          + " handle(…)", column: column)
    }
    return .plain(try plainType())
  }

  // MARK: Plain types

  /// A number, the name of a struct, or a struct written in place.
  mutating func plainType() throws(SignatureError) -> PlainType {
    let column = scanner.column
    if scanner.sees("{") { return .structure(try structure(named: nil)) }
    if scanner.sees("*") { throw Self.pointerToPointer(column) }
    guard let name = scanner.name() else {
      throw SignatureError("a type is wanted, not \(scanner.next)", column: column)
    }
    if let scalar = Scalar(rawValue: name) { return .scalar(scalar) }
    if let type = structs[name] { return .structure(type) }
    throw SignatureError(Self.explain(unknown: name), column: column)
  }

  /// `{name: type, …}`; the commas may be semicolons.
  mutating func structure(named name: String?) throws(SignatureError) -> StructType {
    var type = StructType(name: name)
    let column = scanner.column
    try scanner.expect("{", "has to open the struct")
    while !scanner.take("}") {
      let fieldColumn = scanner.column
      guard let field = scanner.name() else {
        throw SignatureError("the name of a member is wanted, not \(scanner.next)", column: fieldColumn)
      }
      if type.fields.contains(where: { $0.name == field }) {
        throw SignatureError("the member \(field) stands there twice", column: fieldColumn)
      }
      try scanner.expect(":", "has to stand between the member \(field) and its type")
      try member(field, of: &type)
      try refuseBitField()
      if !scanner.take(","), !scanner.take(";"), !scanner.sees("}") {
        throw SignatureError(
          "\",\" or \"}\" has to follow a member, not \(scanner.next)", column: scanner.column)
      }
    }
    if type.fields.isEmpty { throw SignatureError("a struct has at least one member", column: column) }
    if type.size > 4096 {
      throw SignatureError("the struct has \(type.size) bytes; at most 4096 can be passed", column: column)
    }
    return type
  }

  private mutating func member(_ name: String, of type: inout StructType) throws(SignatureError) {
    let column = scanner.column
    for word in ["cstr", "bytes", "ptr", "handle", "callback"] where scanner.takeWord(word) {
      throw SignatureError(
        "a struct that holds pointers is not plain: \(name) could point anywhere", column: column)
    }
    if scanner.sees("*") {
      throw SignatureError(
        "a struct that holds pointers is not plain: \(name) could point anywhere", column: column)
    }
    let member = try plainType()
    guard scanner.take("[") else { return type.append(name, member, count: nil) }
    let element = try element(member, column)
    let count = try count("a number of elements")
    if count > 512 {
      throw SignatureError("an array in a struct has at most 512 elements", column: column)
    }
    type.append(name, .scalar(element), count: count)
  }

  // MARK: Refusals

  static func pointerToPointer(_ column: Int) -> SignatureError {
    SignatureError(
      "pointers to pointers cannot be passed: nothing says what they lead to; \"out handle(…)\" and"
        + " \"out cstr\" stand for two common ones", column: column)
  }

  private mutating func refusePointerArray(_ column: Int) throws(SignatureError) {
    if scanner.sees("[") || scanner.sees("*") { throw Self.pointerToPointer(column) }
  }

  /// Why a word is no type, and what to write instead.
  private static func explain(unknown name: String) -> String {
    let others: [String: String] = [
      "char": "i8 for a number, cstr for text", "short": "i16", "int": "i32", "unsigned": "u32",
      "uint": "u32", "long": "i64", "ulong": "u64", "float": "f32", "double": "f64", "string": "cstr",
      "size_t": "u64",
      "ssize_t": "i64", "usize": "u64", "isize": "i64", "int8_t": "i8", "int16_t": "i16", "int32_t": "i32",
      "int64_t": "i64", "uint8_t": "u8", "uint16_t": "u16", "uint32_t": "u32", "uint64_t": "u64",
      "_Bool": "bool", "void": "nothing at all: () has no parameters",
    ]
    if let other = others[name] { return "\(name) is no type here; use \(other)" }
    switch name {
    case "f80", "f128", "long_double", "longdouble":
      return "long double cannot be passed: it differs between machines, and JSON has no number for it"
    case "union": return "a union cannot be passed: nothing says which of its members counts"
    case "complex", "c64", "c128": return "complex numbers cannot be passed; use two floats"
    case "bytes", "cstr", "ptr", "handle", "callback", "out", "inout", "close":
      return "\(name) cannot stand here"
    default:
      let list = Scalar.allCases.map(\.rawValue).joined(separator: ", ")
      return "\(name) is no type; types are \(list), cstr, bytes, out[N], handle(…), callback(…) and"
        + " structs"
    }
  }
}
