// What is exposed, as OpenAPI 3.1.

enum OpenAPI {
  /// The document that describes `endpoints` of an app mounted at `mount`.
  static func document(_ endpoints: [Endpoint], mount: String) -> JSONValue {
    [
      "openapi": "3.1.0",
      "info": ["title": "Functions", "version": "1"],
      "servers": [["url": .string(mount.isEmpty ? "/" : mount)]],
      "paths": .object(endpoints.map { .init($0.path, path($0)) }),
      "components": ["schemas": ["Problem": problem]],
    ]
  }

  private static let problem: JSONValue = [
    "type": "object",
    "properties": [
      "title": ["type": "string"], "status": ["type": "integer"], "detail": ["type": "string"],
      "parameter": ["type": "string"],
    ],
    "required": ["title", "status", "detail"],
  ]

  private static func path(_ endpoint: Endpoint) -> JSONValue {
    var members: [JSONValue.Member] = []
    if endpoint.signature.attributes.isPure { members.append(.init("get", get(endpoint))) }
    members.append(.init("post", post(endpoint)))
    return .object(members)
  }

  /// `get_pow`, unique as paths are.
  private static func identifier(_ method: String, _ endpoint: Endpoint) -> JSONValue {
    .string(method + String(endpoint.path.map { $0 == "/" ? "_" : $0 }))
  }

  private static func most(_ signature: Signature) -> Int {
    signature.attributes.maxBytes ?? Attributes.defaultMaxBytes
  }

  private static func fields(
    _ signature: Signature, isForm: Bool = false
  ) -> [(name: String, schema: JSONValue, isRequired: Bool)] {
    signature.parameters.filter(\.isInput).flatMap { parameter in
      Schemas.fields(parameter, most: most(signature), isForm: isForm).map {
        ($0.name, $0.schema, !parameter.isOptional)
      }
    }
  }

  private static func get(_ endpoint: Endpoint) -> JSONValue {
    let signature = endpoint.signature
    return [
      "operationId": identifier("get", endpoint),
      "summary": .string("\(signature.symbol), with arguments in the query"),
      "parameters": .array(
        fields(signature).map { field in
          [
            "name": .string(field.name), "in": "query", "required": .bool(field.isRequired),
            "schema": field.schema,
          ]
        }),
      "responses": responses(signature),
    ]
  }

  private static func post(_ endpoint: Endpoint) -> JSONValue {
    let signature = endpoint.signature
    let inputs = signature.parameters.filter(\.isInput)
    var members: [JSONValue.Member] = [
      .init("operationId", identifier("post", endpoint)),
      .init("summary", .string("\(signature.symbol), with arguments in the body")),
    ]
    if !inputs.isEmpty {
      let json = Schemas.object(
        inputs.map { ($0.name, Schemas.input($0, most: most(signature)), !$0.isOptional) })
      var content: [JSONValue.Member] = [
        .init("application/json", ["schema": json]),
        .init(
          "application/x-www-form-urlencoded", ["schema": Schemas.object(fields(signature, isForm: true))]),
      ]
      let needed = inputs.filter { !$0.isOptional }
      if let raw = RequestArguments.rawParameter(of: signature, [:]), needed.allSatisfy({ $0.name == raw }),
        signature.parameter(raw)?.type == .bytes
      {
        content.append(.init("application/octet-stream", [:]))
      }
      members.append(
        .init(
          "requestBody",
          ["required": .bool(!needed.isEmpty), "content": .object(content)]))
    }
    members.append(.init("responses", responses(signature)))
    return .object(members)
  }

  private static func responses(_ signature: Signature) -> JSONValue {
    var members: [(name: String, schema: JSONValue, isRequired: Bool)] = [
      ("result", Schemas.result(signature.result), true)
    ]
    if signature.attributes.reportsErrno {
      members.append(("errno", ["type": "integer"], true))
    }
    for parameter in signature.parameters where parameter.isOutput {
      members.append((parameter.name, Schemas.output(parameter), true))
    }
    let content = Forms(signature).offered.map { type -> JSONValue.Member in
      let essence = MediaType.essence(of: type)
      switch essence {
      case "application/json": return .init(essence, ["schema": Schemas.object(members)])
      case "text/plain": return .init(essence, ["schema": ["type": "string"]])
      default: return .init(essence, [:])
      }
    }
    var seen: Set<String> = []
    let unique = content.filter { seen.insert($0.name).inserted }
    var responses: [JSONValue.Member] = [
      .init("200", ["description": "what the function answered", "content": .object(unique)]),
      .init("400", refusal("the arguments do not fit")),
      .init("406", refusal("the answer cannot be had in this form")),
      .init("415", refusal("the body is of no known type")),
    ]
    if signature.parameters.contains(where: { if case .handle = $0.type { true } else { false } }) {
      responses.append(.init("404", refusal("there is no such handle")))
    }
    if signature.attributes.fails != nil { responses.append(.init("422", refusal("the function failed"))) }
    responses.append(.init("default", refusal("the request cannot be carried out")))
    return .object(responses)
  }

  private static func refusal(_ description: String) -> JSONValue {
    let schema: JSONValue = ["$ref": "#/components/schemas/Problem"]
    return [
      "description": .string(description),
      "content": ["application/problem+json": ["schema": schema]],
    ]
  }
}
