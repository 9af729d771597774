// From what a call gave back to what the client gets.

/// A response.
struct Answer: Equatable, Sendable {
  var status: Int
  var type: String
  var fields: [(name: String, value: String)] = []
  var body: [UInt8]

  static func json(_ value: JSONValue, status: Int = 200) -> Answer {
    Answer(status: status, type: "application/json", body: JSONWriter.bytes(of: value))
  }

  /// A refusal, as RFC 9457 has it.
  init(_ error: RequestError) {
    var members: [JSONValue.Member] = [
      .init("title", .string(Self.title(error.status))), .init("status", .number(error.status)),
      .init("detail", .string(error.detail)),
    ]
    if let parameter = error.parameter { members.append(.init("parameter", .string(parameter))) }
    let body = JSONWriter.bytes(of: .object(members))
    self.init(status: error.status, type: "application/problem+json", body: body)
    if let allow = error.allow { fields.append(("Allow", allow)) }
  }

  init(status: Int, type: String, body: [UInt8]) {
    (self.status, self.type, self.body) = (status, type, body)
  }

  static func title(_ status: Int) -> String {
    switch status {
    case 400: "Bad Request"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 406: "Not Acceptable"
    case 413: "Content Too Large"
    case 415: "Unsupported Media Type"
    case 422: "Unprocessable Content"
    case 503: "Service Unavailable"
    default: "Internal Server Error"
    }
  }

  static func == (one: Answer, other: Answer) -> Bool {
    one.status == other.status && one.type == other.type && one.body == other.body
      && one.fields.elementsEqual(other.fields) { $0.name == $1.name && $0.value == $1.value }
  }
}

/// In which forms a function's answer can be had.
struct Forms {
  /// The name of the value that text and raw answers hold: a parameter's, or "result".
  let primary: String
  /// Media types, the preferred first.
  let offered: [String]

  private static let json = "application/json"
  static let text = "text/plain; charset=utf-8"
  static let raw = "application/octet-stream"

  init(_ signature: Signature) {
    let outputs = signature.parameters.filter(\.isOutput)
    let buffer = outputs.first { if case .buffer = $0.type { true } else { false } }
    let resultIsStatus = signature.attributes.fails != nil || signature.resultIsLengthOf != nil
    let resultCounts = signature.result != .void && !resultIsStatus
    primary = buffer?.name ?? (resultCounts ? "result" : outputs.first?.name ?? "result")
    let type = signature.parameter(primary)?.type
    let isBinary = if case .buffer(_, isText: false)? = type { true } else { false }
    var types = [Self.json, isBinary ? Self.raw : Self.text, isBinary ? Self.text : Self.raw]
    if let own = signature.attributes.mediaType { types.insert(own, at: 0) }
    offered = types
  }

  /// The answer to a call, in the form that the client wants.
  func answer(_ outcome: Outcome, _ function: Function, as type: String) throws(RequestError) -> Answer {
    if outcome.hasFailed { return try failure(outcome, function) }
    if type == Self.json { return .json(.object(try members(outcome))) }
    let value = primary == "result" ? outcome.result : outcome.outputs.first { $0.name == primary }?.value
    return Answer(status: 200, type: type, body: value?.raw ?? [])
  }

  private func members(_ outcome: Outcome) throws(RequestError) -> [JSONValue.Member] {
    var members = [JSONValue.Member("result", try json(outcome.result ?? .value(.null), "the result"))]
    if let number = outcome.errorNumber { members.append(.init("errno", .number(Int(number)))) }
    for (name, value) in outcome.outputs { members.append(.init(name, try json(value, name))) }
    return members
  }

  private func json(_ output: Output, _ name: String) throws(RequestError) -> JSONValue {
    guard let value = output.json else {
      throw RequestError(
        500, "\(name) is text that is not UTF-8; Accept: application/octet-stream gives it as it is")
    }
    return value
  }

  /// The function has been called and says that it failed.
  private func failure(_ outcome: Outcome, _ function: Function) throws(RequestError) -> Answer {
    let symbol = function.signature.symbol
    var detail = "\(symbol) failed"
    if let result = outcome.result?.json, result != .null {
      detail += ": it answered \(String(decoding: JSONWriter.bytes(of: result), as: UTF8.self))"
    }
    if let number = outcome.errorNumber, number != 0 { detail += ", \(LibrarySystem.reason(number))" }
    let error = RequestError(422, detail)
    let front: [JSONValue.Member] = [
      .init("title", .string(Answer.title(422))), .init("status", .number(422)),
      .init("detail", .string(detail)),
    ]
    var answer = Answer(error)
    answer.body = JSONWriter.bytes(of: .object(front + (try members(outcome))))
    return answer
  }
}
