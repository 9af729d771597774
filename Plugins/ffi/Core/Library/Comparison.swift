// A signature against what the library was compiled from: the first difference that matters to a call.

enum Comparison {
  /// What is different, in the operator's words; nil if they agree.
  static func difference(_ signature: Signature, _ declared: Declaration) -> String? {
    if declared.isVariadic { return "it takes a variable number of arguments, which cannot be called safely" }
    let measured = Set(
      signature.parameters.compactMap { if case .length(let name) = $0.binding { name } else { nil } })
    var wanted: [(name: String, check: (CShape) -> String?)] = []
    for parameter in signature.parameters {
      wanted.append((parameter.name, { difference(parameter.type, $0) }))
      if parameter.type == .bytes, !measured.contains(parameter.name) {
        wanted.append(("the length of \(parameter.name)", { difference(.scalar(.u64), $0) }))
      }
    }
    guard wanted.count == declared.parameters.count else {
      return "it has \(declared.parameters.count) parameters, and the signature \(wanted.count)"
    }
    for (parameter, shape) in zip(wanted, declared.parameters) {
      if let reason = parameter.check(shape) { return "\(parameter.name) is \(shape.name), \(reason)" }
    }
    return difference(signature.result, declared.result).map {
      "the result is \(declared.result.name), \($0)"
    }
  }

  private static func difference(_ type: ParameterType, _ shape: CShape) -> String? {
    switch type {
    case .plain(let plain): return difference(plain, shape)
    case .pointer(let plain, _): return pointer(to: plain, shape)
    case .array(let scalar, _), .outArray(let scalar, _): return pointer(to: .scalar(scalar), shape)
    case .text: return pointerToText(shape)
    case .bytes, .buffer, .opaque, .handle: return target(of: shape).map { _ in nil } ?? "and no pointer"
    case .outHandle:
      guard let target = target(of: shape) else { return "and no pointer" }
      return isPointer(target) ? nil : "and no pointer to a pointer"
    case .outText:
      guard let target = target(of: shape) else { return "and no pointer" }
      return isPointer(target) ? nil : "and no pointer to text"
    case .callback:
      switch target(of: shape) {
      case .function, .void, .unknown: return nil
      default: return "and no pointer to a function"
      }
    }
  }

  private static func difference(_ type: ResultType, _ shape: CShape) -> String? {
    switch (type, shape) {
    case (_, .unknown): return nil
    case (.void, .structure), (.void, .other): return "and cannot be ignored"
    case (.void, _): return nil
    case (.plain(let plain), _): return difference(plain, shape)
    case (.text, _): return pointerToText(shape)
    case (.pointer(let plain), _): return pointer(to: plain, shape)
    case (.handle, _): return target(of: shape) == nil ? "and no pointer" : nil
    }
  }

  // MARK: Pointers

  /// What a pointer points to; nil if it is none.
  private static func target(of shape: CShape) -> CShape? {
    switch shape {
    case .pointer(let target), .array(let target): target
    case .unknown: .unknown
    default: nil
    }
  }

  private static func isPointer(_ shape: CShape) -> Bool {
    switch shape {
    case .pointer, .void, .unknown: true
    default: false
    }
  }

  private static func pointerToText(_ shape: CShape) -> String? {
    switch target(of: shape) {
    case .integer(size: 1, _, _), .void, .unknown: nil
    default: "and no pointer to characters"
    }
  }

  private static func pointer(to plain: PlainType, _ shape: CShape) -> String? {
    guard let target = target(of: shape) else { return "and no pointer" }
    if case .void = target { return nil }
    if case .structure(_, nil, _) = target { return nil }
    // An array of arrays is numbers one behind the other.
    if case .array(let element) = target { return difference(plain, element) }
    return difference(plain, target)
  }

  // MARK: Values

  private static func difference(_ plain: PlainType, _ shape: CShape) -> String? {
    switch (plain, shape) {
    case (_, .unknown): return nil
    case (.scalar(let scalar), _): return fits(scalar, shape) ? nil : "and not \(scalar.rawValue)"
    case (.structure(let type), .structure(_, let size?, let members)):
      if type.size != size { return "and the signature's struct has \(type.size)" }
      guard type.fields.count == members.count else {
        return "with \(members.count) members, and the signature's has \(type.fields.count)"
      }
      for (field, member) in zip(type.fields, members) {
        if field.offset != member.offset { return "and its \(field.name) lies at byte \(member.offset)" }
        var shape = member.shape
        if field.count != nil, case .array(let element) = shape { shape = element }
        if let reason = difference(field.type, shape) {
          return "and its \(field.name) is \(shape.name), \(reason)"
        }
      }
      return nil
    case (.structure, _): return "and no struct"
    }
  }

  private static func fits(_ scalar: Scalar, _ shape: CShape) -> Bool {
    switch shape {
    case .integer(let size, let isSigned, let isCharacter):
      if scalar == .bool { return size == 1 }
      return scalar.isInteger && scalar.size == size && (isCharacter || scalar.isSigned == isSigned)
    case .enumeration(let size): return scalar.isInteger && scalar.size == size
    case .boolean(let size): return scalar.size == size && (scalar == .bool || scalar == .u8)
    case .floating(let size): return scalar.isFloat && scalar.size == size
    default: return false
    }
  }
}
