// Function pointers in signatures: callback(a: *f64, b: *f64) -> i32 = compare

extension SignatureParser {
  /// Behind `callback`.
  mutating func callback() throws(SignatureError) -> CallbackType {
    let column = scanner.column
    var type = CallbackType(arguments: [], result: nil, behaviour: .count)
    try scanner.expect("(", "has to open the callback's parameters")
    if !scanner.take(")") {
      repeat { try callbackArgument(of: &type) } while scanner.take(",")
      try scanner.expect(")", "or \",\" has to follow a parameter of the callback")
    }
    if scanner.take("->"), !scanner.takeWord("void") {
      let resultColumn = scanner.column
      guard case .scalar(let scalar) = try plainType() else {
        throw SignatureError("a callback returns a number or nothing", column: resultColumn)
      }
      type.result = scalar
    }
    try scanner.expect("=", "has to follow a callback: what is it to do? collect, count or compare")
    try behaviour(of: &type)
    try check(type, column)
    return type
  }

  private mutating func callbackArgument(of type: inout CallbackType) throws(SignatureError) {
    let column = scanner.column
    if scanner.sees("...") {
      throw SignatureError("a callback with a variable number of arguments cannot be made", column: column)
    }
    guard let name = scanner.name() else {
      throw SignatureError("a parameter's name is wanted, not \(scanner.next)", column: column)
    }
    if type.arguments.contains(where: { $0.name == name }) {
      throw SignatureError("the parameter \(name) stands there twice", column: column)
    }
    try scanner.expect(":", "has to stand between the parameter \(name) and its type")
    let typeColumn = scanner.column
    let argument: CallbackType.Argument
    if scanner.take("*") {
      if scanner.sees("*") { throw Self.pointerToPointer(typeColumn) }
      argument = .pointer(try plainType())
    } else if scanner.takeWord("ptr") {
      argument = .opaque
    } else if scanner.takeWord("cstr") {
      argument = scanner.take("[") ? .texts(count: try counter()) : .text
    } else if scanner.takeWord("bytes") {
      try scanner.expect("[", "has to follow bytes: bytes[NAME] says which parameter is their length")
      argument = .bytes(count: try counter())
    } else if case .scalar(let scalar) = try plainType() {
      argument = .scalar(scalar)
    } else {
      throw SignatureError("a callback takes structs by pointer only; use *", column: typeColumn)
    }
    type.arguments.append((name, argument))
  }

  /// NAME and "]".
  private mutating func counter() throws(SignatureError) -> String {
    let column = scanner.column
    guard let name = scanner.name() else {
      throw SignatureError("the parameter that holds the length is wanted", column: column)
    }
    try scanner.expect("]", "has to close the bracket")
    return name
  }

  /// `collect`, `count`, each with a result in parentheses, or `compare` with an order.
  private mutating func behaviour(of type: inout CallbackType) throws(SignatureError) {
    let column = scanner.column
    switch scanner.name() {
    case "collect": type.behaviour = .collect
    case "count": type.behaviour = .count
    case "compare":
      type.behaviour = .compare(isDescending: scanner.takeWord("descending"))
      return
    default:
      throw SignatureError("a callback is to collect, count or compare", column: column)
    }
    guard scanner.take("(") else {
      type.answer = try type.result.map { scalar throws(SignatureError) in try zero(scalar, column) }
      return
    }
    guard let scalar = type.result else {
      throw SignatureError("a callback that returns nothing has no result to give", column: column)
    }
    type.answer = try number(of: scalar)
    try scanner.expect(")", "has to close the callback's result")
  }

  private func zero(_ scalar: Scalar, _ column: Int) throws(SignatureError) -> Number {
    do { return try NumberText.parse("0", as: scalar) } catch {
      throw SignatureError("\(scalar.rawValue) has no zero", column: column)
    }
  }

  private func check(_ type: CallbackType, _ column: Int) throws(SignatureError) {
    for (name, argument) in type.arguments {
      switch argument {
      case .texts(let count), .bytes(let count):
        let counter = type.arguments.first { $0.name == count }
        if case .scalar(let scalar)? = counter?.type, scalar.isInteger { continue }
        throw SignatureError("\(count), the length of \(name), is no integer parameter", column: column)
      default: continue
      }
    }
    guard case .compare = type.behaviour else { return }
    guard let scalar = type.result, scalar.isSigned else {
      throw SignatureError("a callback that compares returns a signed integer, such as i32", column: column)
    }
    let first = type.arguments.prefix(2).map(\.type)
    guard first.count == 2, first[0] == first[1], case .pointer(.scalar) = first[0] else {
      throw SignatureError(
        "a callback that compares takes two pointers to the same type of number first", column: column)
    }
  }
}
