// A function that answers every request by itself, in a language that has no nsgi.h: its parameters are named
// after the parts of a request (docs/FFI.md, "Odd entries").

/// One such function.
struct AppEntry: Sendable {
  private let function: Function

  /// Why a signature cannot be an entry's.
  static func check(_ signature: Signature) throws(SignatureError) {
    for parameter in signature.parameters where parameter.isInput {
      switch parameter.type {
      case .text, .bytes:
        if Self.parts.contains(parameter.name) || parameter.name.hasPrefix("http_") { continue }
        throw SignatureError(
          "an entry has no parameter \(parameter.name); there are \(Self.parts.joined(separator: ", ")), and"
            + " http_… for header fields", column: parameter.column)
      default:
        throw SignatureError("the parts of a request are cstr or bytes", column: parameter.column)
      }
    }
    switch signature.result {
    case .void, .text: return
    case .plain(.scalar(let scalar)) where scalar.isInteger: return
    default:
      throw SignatureError(
        "an entry returns the status as an integer, or the body as a cstr", column: signature.column)
    }
  }

  private static let parts = [
    "method", "path", "query", "body", "content_type", "script_name", "remote_addr", "scheme", "protocol",
  ]

  init(_ function: Function) { self.function = function }

  /// Calls the function with the parts of the request that it asks for.
  func answer(
    _ request: Incoming, _ handles: HandleTable, _ oneAtATime: Lock, variable: (String) -> [UInt8]?
  ) throws(RequestError) -> Answer {
    var given: [String: Given] = [:]
    for parameter in function.signature.parameters where parameter.isInput {
      given[parameter.name] = .body(part(parameter.name, request, variable))
    }
    let outcome = try Invocation.run(function, given, handles, oneAtATime, client: request.client)
    var status = 200
    if case .plain = function.signature.result, function.signature.resultIsLengthOf == nil,
      case .value(.number(let text))? = outcome.result
    {
      guard let number = Int(text), (200...599).contains(number) else {
        throw RequestError(500, "\(function.signature.symbol) answered \(text), which is no status")
      }
      status = number
    }
    let type = outcome.outputs.first { $0.name == "type" }?.value.raw
    let isText = if case .text = function.signature.result { true } else { false }
    let body = outcome.outputs.first { $0.name != "type" }?.value ?? (isText ? outcome.result : nil)
    let mediaType = type.map { String(decoding: $0, as: UTF8.self) } ?? Forms.text
    return Answer(status: status, type: mediaType, body: body?.raw ?? [])
  }

  private func part(_ name: String, _ request: Incoming, _ variable: (String) -> [UInt8]?) -> [UInt8] {
    switch name {
    case "method": Array(request.method.utf8)
    case "path": Array(request.path.utf8)
    case "query": request.query
    case "body": request.body
    case "content_type": Array(request.contentType.utf8)
    case "script_name": Array(request.mount.utf8)
    case "remote_addr": variable("REMOTE_ADDR") ?? []
    case "scheme": variable("REQUEST_SCHEME") ?? []
    case "protocol": variable("SERVER_PROTOCOL") ?? []
    default: variable(name.uppercased()) ?? []
    }
  }
}
