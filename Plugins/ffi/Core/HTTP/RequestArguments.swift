// What a request gives for each parameter of a function: from its query, and from its body if it is a POST.

/// A request as far as functions are concerned.
struct Incoming {
  var method: String
  /// Below the mount.
  var path: String
  /// As sent, without the question mark.
  var query: [UInt8] = []
  var contentType = ""
  var accept: String?
  var body: [UInt8] = []
  /// Where the app is mounted.
  var mount = ""
  /// The client's address; empty if it has none.
  var client = ""
}

enum RequestArguments {
  /// Values by parameter. What no parameter takes is refused.
  static func gather(_ request: Incoming, for signature: Signature) throws(RequestError) -> [String: Given] {
    var given: [String: Given] = [:]
    try add(fields: try Form.fields(request.query), to: &given, signature)
    guard request.method == "POST" else { return given }
    let type = MediaType.essence(of: request.contentType)
    if request.body.isEmpty {
      // No bytes at all are a value too, if the request says that they are one.
      if type == "application/octet-stream" || type == "text/plain",
        let name = rawParameter(of: signature, given)
      {
        given[name] = .body([])
      }
      return given
    }
    switch type {
    case "application/json": try add(json: request.body, to: &given, signature)
    case let type where type.hasSuffix("+json"): try add(json: request.body, to: &given, signature)
    case "application/x-www-form-urlencoded":
      try add(fields: try Form.fields(request.body), to: &given, signature)
    case "application/octet-stream", "text/plain":
      guard let name = rawParameter(of: signature, given) else { throw unsupported(type, signature) }
      given[name] = .body(request.body)
    default: throw unsupported(type, signature)
    }
    return given
  }

  private static func unsupported(_ type: String, _ signature: Signature) -> RequestError {
    let raw = rawParameter(of: signature, [:]) == nil ? "" : ", application/octet-stream"
    return RequestError(
      415,
      "the body is \(type.isEmpty ? "of no type" : type); use application/json,"
        + " application/x-www-form-urlencoded\(raw)")
  }

  /// The one parameter that a body can be as it is.
  static func rawParameter(of signature: Signature, _ given: [String: Given]) -> String? {
    let open = signature.parameters.filter { parameter in
      guard parameter.isInput, given[parameter.name] == nil else { return false }
      switch parameter.type {
      case .bytes, .text: return true
      default: return false
      }
    }
    return open.count == 1 ? open[0].name : nil
  }

  private static func add(
    fields: [(name: String, value: [UInt8])], to given: inout [String: Given], _ signature: Signature
  ) throws(RequestError) {
    var forms: [String: [Given.Field]] = [:]
    for (name, value) in fields {
      let front = String(name.prefix { $0 != "." })
      try check(front, signature)
      forms[front, default: []].append(Given.Field(suffix: String(name.dropFirst(front.count)), value: value))
    }
    for (name, fields) in forms { try set(name, .form(fields), in: &given) }
  }

  private static func add(
    json body: [UInt8], to given: inout [String: Given], _ signature: Signature
  ) throws(RequestError) {
    let value: JSONValue
    do { value = try body.withUnsafeBytes { bytes throws(JSONError) in try JSONReader.parse(bytes) } } catch {
      throw RequestError(400, "the body is no JSON: \(error)")
    }
    guard case .object(let members) = value else {
      throw RequestError(
        400, "the body is \(value.kind); an object with a member for each parameter is wanted")
    }
    for member in members {
      try check(member.name, signature)
      try set(member.name, .json(member.value), in: &given)
    }
  }

  private static func check(_ name: String, _ signature: Signature) throws(RequestError) {
    guard let parameter = signature.parameter(name), parameter.isInput else {
      let shown = name.utf8.count > 40 ? String(name.prefix(40)) + "…" : name
      throw RequestError(400, "there is no parameter \"\(shown)\"", parameter: shown)
    }
  }

  private static func set(
    _ name: String, _ value: Given, in given: inout [String: Given]
  ) throws(RequestError) {
    if given[name] != nil { throw .bad(name, "it stands there more than once") }
    given[name] = value
  }
}
