// One app of the ffi runtime: the paths that it answers, and how each request finds its function.
import Synchronization

/// Functions of libraries as an HTTP service.
final class FFIApp: Sendable {
  /// A function at its path.
  struct Route: Sendable {
    let function: Function
    let forms: Forms
    /// The methods of its path, for Allow.
    let allow: String

    init(_ function: Function) {
      self.function = function
      forms = Forms(function.signature)
      allow = function.signature.attributes.isPure ? "GET, HEAD, POST, OPTIONS" : "POST, OPTIONS"
    }
  }

  static let descriptionPath = "/.well-known/openapi.json"

  private let routes: [String: Route]
  private let endpoints: [Endpoint]
  /// Answers every path, if there is one.
  private let entry: AppEntry?
  let handles: HandleTable
  private let oneAtATime = Lock()

  /// The functions of `endpoints`, found by `resolve`.
  init(
    _ endpoints: [Endpoint], entry: Signature?, limits: HandleLimits = HandleLimits(),
    _ resolve: (Signature) throws -> Symbols
  ) throws {
    handles = HandleTable(limits)
    var routes: [String: Route] = [:]
    for endpoint in endpoints {
      guard endpoint.path != Self.descriptionPath, routes[endpoint.path] == nil else {
        throw SignatureError("the path \(endpoint.path) is taken already", column: 1)
      }
      let function = try Function(endpoint.signature, resolve(endpoint.signature))
      routes[endpoint.path] = Route(function)
    }
    self.routes = routes
    self.endpoints = endpoints
    self.entry = try entry.map { try AppEntry(Function($0, resolve($0))) }
  }

  /// Answers one request.
  func answer(_ request: Incoming, variable: (String) -> [UInt8]?) -> Answer {
    do throws(RequestError) {
      if let route = routes[request.path] { return try answer(request, route) }
      if request.path == Self.descriptionPath { return try description(request) }
      if let entry { return try entry.answer(request, handles, oneAtATime, variable: variable) }
      throw RequestError(404, "there is nothing at this path; \(Self.descriptionPath) tells what there is")
    } catch {
      return Answer(error)
    }
  }

  private func answer(_ request: Incoming, _ route: Route) throws(RequestError) -> Answer {
    switch request.method {
    case "POST": break
    case "GET", "HEAD":
      if route.function.signature.attributes.isPure { break }
      throw RequestError(
        405, "\(route.function.signature.symbol) may change something: use POST", allow: route.allow)
    case "OPTIONS":
      let here = endpoints.filter { $0.path == request.path }
      var answer = Answer.json(OpenAPI.document(here, mount: request.mount))
      answer.fields.append(("Allow", route.allow))
      return answer
    default: throw RequestError(405, "\(request.method) means nothing to a function", allow: route.allow)
    }
    guard let type = MediaType.choose(route.forms.offered, accept: request.accept) else {
      throw RequestError(406, "the answer can be had as \(route.forms.offered.joined(separator: ", "))")
    }
    let given = try RequestArguments.gather(request, for: route.function.signature)
    let outcome = try Invocation.run(route.function, given, handles, oneAtATime, client: request.client)
    var answer = try route.forms.answer(outcome, route.function, as: type)
    answer.fields.append(("Vary", "Accept"))
    return answer
  }

  private func description(_ request: Incoming) throws(RequestError) -> Answer {
    let allow = "GET, HEAD, OPTIONS"
    switch request.method {
    case "GET", "HEAD": return .json(OpenAPI.document(endpoints, mount: request.mount))
    case "OPTIONS":
      var answer = Answer.json(OpenAPI.document(endpoints, mount: request.mount))
      answer.fields.append(("Allow", allow))
      return answer
    default: throw RequestError(405, "the description can only be read", allow: allow)
    }
  }
}
