// JSON Schema (2020-12) of what goes into functions and comes out of them.

enum Schemas {
  private static let special: JSONValue = ["enum": ["NaN", "Infinity", "-Infinity"]]

  /// What a client may give for a number.
  static func number(_ scalar: Scalar, _ range: ClosedRange<Double>? = nil) -> JSONValue {
    if scalar == .bool { return ["type": "boolean"] }
    var members: [JSONValue.Member] = [.init("type", scalar.isFloat ? "number" : "integer")]
    let bounds = self.bounds(scalar, range)
    if let lowest = bounds.lowest { members.append(.init("minimum", .number(lowest))) }
    if let highest = bounds.highest { members.append(.init("maximum", .number(highest))) }
    switch scalar {
    case .f32: members.append(.init("format", "float"))
    case .f64: members.append(.init("format", "double"))
    default: break
    }
    let plain = JSONValue.object(members)
    return scalar.isFloat && range == nil ? ["anyOf": [plain, special]] : plain
  }

  private static func bounds(
    _ scalar: Scalar, _ range: ClosedRange<Double>?
  ) -> (lowest: String?, highest: String?) {
    let type = scalar.bounds.map { (Double($0.lowest) ?? 0)...(Double($0.highest) ?? 0) }
    func text(_ value: Double) -> String { NumberText.text(.double(value)) }
    var (lowest, highest) = (scalar.bounds?.lowest, scalar.bounds?.highest)
    if scalar == .f32 {
      let most = Double(Float.greatestFiniteMagnitude)
      (lowest, highest) = (text(-most), text(most))
    }
    if let range {
      if type.map({ range.lowerBound > $0.lowerBound }) ?? true { lowest = text(range.lowerBound) }
      if type.map({ range.upperBound < $0.upperBound }) ?? true { highest = text(range.upperBound) }
    }
    return (lowest, highest)
  }

  static func plain(_ type: PlainType, _ range: ClosedRange<Double>? = nil) -> JSONValue {
    switch type {
    case .scalar(let scalar): number(scalar, range)
    case .structure(let structure):
      object(
        structure.fields.map { field in
          let schema = plain(field.type)
          return (field.name, field.count.map { array(schema, least: $0, most: $0) } ?? schema, true)
        })
    }
  }

  /// An object with exactly these members.
  static func object(_ members: [(name: String, schema: JSONValue, isRequired: Bool)]) -> JSONValue {
    let required = members.filter(\.isRequired).map { JSONValue.string($0.name) }
    var result: [JSONValue.Member] = [
      .init("type", "object"),
      .init("properties", .object(members.map { .init($0.name, $0.schema) })),
      .init("additionalProperties", false),
    ]
    if !required.isEmpty { result.append(.init("required", .array(required))) }
    return .object(result)
  }

  static func array(_ element: JSONValue, least: Int = 0, most: Int) -> JSONValue {
    var members: [JSONValue.Member] = [.init("type", "array"), .init("items", element)]
    if least > 0 { members.append(.init("minItems", .number(least))) }
    members.append(.init("maxItems", .number(most)))
    return .object(members)
  }

  /// Text for a C string.
  private static func text(most: Int) -> [JSONValue.Member] {
    [.init("pattern", "^[^\\u0000]*$"), .init("maxLength", .number(most))]
  }

  // MARK: In

  /// A parameter as a member of a JSON body.
  static func input(_ parameter: Parameter, most: Int) -> JSONValue {
    switch parameter.type {
    case .plain(let type), .pointer(let type, _): return plain(type, parameter.range)
    case .text(let isOptional):
      let type: JSONValue = isOptional ? ["string", "null"] : "string"
      return .object([.init("type", type)] + text(most: most))
    case .bytes:
      return ["type": "string", "contentEncoding": "base64", "pattern": .string(base64)]
    case .array(let scalar, _): return array(number(scalar, parameter.range), most: most / scalar.size)
    case .handle(let tag, _): return handle(tag)
    case .buffer, .outArray, .outHandle, .outText, .callback, .opaque: return true
    }
  }

  private static let base64 =
    "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?$"

  private static func handle(_ tag: String) -> JSONValue {
    ["type": "string", "pattern": "^[0-9a-f]{32}$", "description": .string("a \(tag) that is open")]
  }

  /// A parameter as fields of a query or a form: a struct is a field for each of its numbers. In a form an
  /// array of one looks like its element.
  static func fields(
    _ parameter: Parameter, most: Int, isForm: Bool
  ) -> [(name: String, schema: JSONValue)] {
    switch parameter.type {
    case .plain(.structure(let type)), .pointer(.structure(let type), _): return fields(parameter.name, type)
    case .array(let scalar, _):
      let element = number(scalar, parameter.range)
      let schema = array(element, least: 1, most: most / scalar.size)
      return [(parameter.name, isForm ? ["anyOf": [schema, element]] : schema)]
    case .text: return [(parameter.name, .object([.init("type", "string")] + text(most: most)))]
    case .bytes: return [(parameter.name, ["type": "string", "maxLength": .number(most)])]
    default: return [(parameter.name, input(parameter, most: most))]
    }
  }

  private static func fields(_ name: String, _ type: StructType) -> [(name: String, schema: JSONValue)] {
    type.fields.flatMap { field -> [(name: String, schema: JSONValue)] in
      let full = "\(name).\(field.name)"
      if case .structure(let inner) = field.type { return fields(full, inner) }
      let schema = plain(field.type)
      return [(full, field.count.map { array(schema, least: $0, most: $0) } ?? schema)]
    }
  }

  // MARK: Out

  static func result(_ type: ResultType) -> JSONValue {
    switch type {
    case .void: ["type": "null"]
    case .plain(let plain): self.plain(plain)
    case .text: ["type": ["string", "null"]]
    case .pointer(let plain): ["anyOf": [self.plain(plain), ["type": "null"]]]
    case .handle: ["type": ["string", "null"]]
    }
  }

  static func output(_ parameter: Parameter) -> JSONValue {
    switch parameter.type {
    case .pointer(let type, _): return plain(type)
    case .array(let scalar, _): return ["type": "array", "items": number(scalar)]
    case .outArray(let scalar, let count): return array(number(scalar), least: count, most: count)
    case .buffer(_, let isText):
      return isText
        ? ["type": ["string", "null"]] : ["type": ["string", "null"], "contentEncoding": "base64"]
    case .outHandle, .outText: return ["type": ["string", "null"]]
    case .callback(let callback):
      if case .count = callback.behaviour { return ["type": "integer", "minimum": .number(0)] }
      return ["type": "array", "items": ["type": "object"]]
    case .plain, .text, .bytes, .handle, .opaque: return true
    }
  }
}
