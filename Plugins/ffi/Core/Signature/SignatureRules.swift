// What fits together in a signature, beyond its grammar.

enum SignatureRules {
  /// Names of the answer that no parameter can have.
  static let reserved: Set<String> = ["result", "errno"]
  static let mostParameters = 32

  static func check(_ signature: Signature) throws(SignatureError) {
    if signature.parameters.count > mostParameters {
      throw SignatureError("more than \(mostParameters) parameters", column: signature.column)
    }
    var names: Set<String> = []
    for parameter in signature.parameters {
      if !names.insert(parameter.name).inserted {
        throw complaint("the parameter \(parameter.name) stands there twice", parameter)
      }
      if reserved.contains(parameter.name) {
        throw complaint("\(parameter.name) is a name of the answer; use another", parameter)
      }
      try checkBinding(parameter, signature)
      try checkRange(parameter)
    }
    try checkLengths(signature)
    try checkResult(signature)
    try checkPurity(signature)
  }

  private static func complaint(_ reason: String, _ parameter: Parameter) -> SignatureError {
    SignatureError(reason, column: parameter.column)
  }

  private static func checkBinding(_ parameter: Parameter, _ signature: Signature) throws(SignatureError) {
    switch (parameter.binding, parameter.type) {
    case (.null, .opaque): return
    case (.null, _):
      throw complaint("only a ptr can be null; write \(parameter.name): ptr = null", parameter)
    case (_, .opaque):
      throw complaint(
        "a bare pointer cannot come from a client; use handle(…), or ptr = null", parameter)
    case (.length(let name), let type): try checkLength(parameter, type, of: name, signature)
    default: return
    }
  }

  private static func checkLength(
    _ parameter: Parameter, _ type: ParameterType, of name: String, _ signature: Signature
  ) throws(SignatureError) {
    guard let target = signature.parameter(name) else {
      throw complaint("len(\(name)): there is no parameter \(name)", parameter)
    }
    let isRoom = if case .buffer = target.type { true } else { false }
    switch target.type {
    case .text, .bytes, .array, .buffer, .outArray: break
    default:
      throw complaint("len(\(name)): \(name) has no length", parameter)
    }
    switch type {
    case .plain(.scalar(let scalar)) where scalar.isInteger: return
    case .pointer(.scalar(let scalar), _) where scalar.isInteger && (isRoom || type.direction == .input):
      return
    case .pointer:
      throw complaint("only the length of an out[N] can be changed by the function", parameter)
    default:
      throw complaint("a length is an integer, or a pointer to one", parameter)
    }
  }

  private static func checkRange(_ parameter: Parameter) throws(SignatureError) {
    guard parameter.range != nil else { return }
    switch parameter.type {
    case .plain(.scalar(let scalar)) where scalar != .bool && !parameter.binding.isHidden: return
    case .array(let scalar, _) where scalar != .bool: return
    default: throw complaint("a range is for numbers that the client gives", parameter)
    }
  }

  /// Each buffer has at most one length that the function says.
  private static func checkLengths(_ signature: Signature) throws(SignatureError) {
    var known: Set<String> = []
    for parameter in signature.parameters {
      guard case .length(let name) = parameter.binding, case .pointer(_, let direction) = parameter.type,
        direction != .input
      else { continue }
      if !known.insert(name).inserted {
        throw complaint("the length of \(name) is told twice", parameter)
      }
    }
    guard let name = signature.resultIsLengthOf else { return }
    guard case .buffer? = signature.parameter(name)?.type else {
      throw SignatureError("-> … = len(\(name)): there is no out[N] of that name", column: signature.column)
    }
    guard case .plain(.scalar(let scalar)) = signature.result, scalar.isInteger, !known.contains(name) else {
      throw SignatureError(
        "-> … = len(\(name)): the result has to be an integer and the only length of \(name)",
        column: signature.column)
    }
  }

  private static func checkResult(_ signature: Signature) throws(SignatureError) {
    guard let fails = signature.attributes.fails else { return }
    let fits =
      switch (fails, signature.result) {
      case (.null, .text), (.null, .pointer), (.null, .handle): true
      case (.negative, .plain(.scalar(let scalar))): scalar.isSigned || scalar.isFloat
      case (.nonzero, .plain(.scalar)), (.zero, .plain(.scalar)): true
      default: false
      }
    if !fits {
      throw SignatureError(
        "fails=\(fails.rawValue) does not fit what \(signature.symbol) returns",
        column: signature.column)
    }
  }

  private static func checkPurity(_ signature: Signature) throws(SignatureError) {
    guard signature.attributes.isPure else { return }
    if case .handle = signature.result {
      throw SignatureError("a function that opens a handle is not pure", column: signature.column)
    }
    for parameter in signature.parameters {
      switch parameter.type {
      case .outHandle: throw complaint("a function that opens a handle is not pure", parameter)
      case .handle(_, closes: true): throw complaint("a function that closes a handle is not pure", parameter)
      default: continue
      }
    }
  }
}

extension ParameterType {
  /// Who fills what it points to; nil for what is passed by value.
  var direction: Direction? {
    switch self {
    case .pointer(_, let direction), .array(_, let direction): direction
    case .buffer, .outArray, .outHandle, .outText: .output
    case .plain, .text, .bytes, .handle, .callback, .opaque: nil
    }
  }
}

extension Parameter {
  /// Whether clients may or must give it.
  var isInput: Bool {
    if binding.isHidden { return false }
    switch type {
    case .plain, .text, .bytes, .handle: return true
    case .pointer(_, let direction), .array(_, let direction): return direction != .output
    case .buffer, .outArray, .outHandle, .outText, .callback, .opaque: return false
    }
  }

  /// Whether it stands in the answer.
  var isOutput: Bool {
    if binding.isHidden { return false }
    switch type {
    case .buffer, .outArray, .outHandle, .outText: return true
    case .pointer(_, let direction), .array(_, let direction): return direction != .input
    case .callback(let callback):
      if case .compare = callback.behaviour { return false }
      return true
    case .plain, .text, .bytes, .handle, .opaque: return false
    }
  }

  /// Whether a request without it is complete.
  var isOptional: Bool {
    if case .text(isOptional: true) = type { return true }
    if case .optional = binding { return true }
    return false
  }
}
