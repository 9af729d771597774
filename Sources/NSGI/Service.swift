import CNSGI

/// One application at work: the `state` of the C table. Nothing is thrown out of it.
class Service {
  let host: HostTable

  init(_ host: HostTable) { self.host = host }

  /// One request: what the C table's call() does. Answers an nsgi_result.
  func call(_ view: UnsafePointer<nsgi_request>) -> Int32 { NSGI_MISUSE.rawValue }
  /// The client is gone or the deadline passed.
  func cancel(_ id: nsgi_id) {}
  func probe() throws {}
  func save(to sink: StateSink) throws {}
  func drain() {}
  func thread(entering: Bool) {}

  /// Runs a turn of the application's life; an error is logged. Answers an nsgi_result.
  final func attempt(_ turn: String, _ work: (Service) throws -> Void) -> Int32 {
    do {
      try work(self)
      return NSGI_OK.rawValue
    } catch {
      Log(host, 0).error("\(error), in \(turn)")
      return (error as? HostError)?.code ?? NSGI_FAIL.rawValue
    }
  }
}

/// What a handler's error means to the client.
enum Failure {
  /// This response instead.
  case answer(Response)
  /// None: the nsgi_result says why.
  case result(Int32)

  /// Logs what is no answer and no client's leaving.
  init(_ error: any Error, _ log: Log, answering request: @autoclosure () -> String) {
    switch error {
    case let abort as Abort: self = .answer(.status(abort.status, abort.message))
    case HostError.tooLarge: self = .answer(.status(413, "Content Too Large\n"))
    case HostError.timedOut: self = .result(NSGI_TIMEOUT.rawValue)
    case HostError.gone, is CancellationError: self = .result(NSGI_GONE.rawValue)
    default:
      log.error("\(error), answering \(request())")
      self = .result(NSGI_FAIL.rawValue)
    }
  }
}

/// The turns of life, handed on to the application.
class LivingService<Application: AppLifecycle>: Service {
  let app: Application

  init(_ app: Application, _ host: HostTable) {
    self.app = app
    super.init(host)
  }

  override func probe() throws { try app.probe() }
  override func save(to sink: StateSink) throws { try app.save(to: sink) }
  override func drain() { app.drain() }
  override func thread(entering: Bool) { app.thread(entering: entering) }
}

/// Answers within the call.
final class SyncService<Application: App>: LivingService<Application> {
  override func call(_ view: UnsafePointer<nsgi_request>) -> Int32 {
    let request = Request(view, host)
    do {
      return try app.respond(to: request).send(to: host, request.id)
    } catch {
      switch Failure(error, request.log, answering: "\(request.method) \(request.path)") {
      case .answer(let response): return response.send(to: host, request.id)
      case .result(let result): return result
      }
    }
  }
}
