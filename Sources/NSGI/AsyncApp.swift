import CNSGI

/// An application whose requests wait for others: a task for each, thousands at once on a few threads.
///
///     struct Ticks: AsyncApp {
///       init(_ boot: Boot) {}
///       func respond(to request: AsyncRequest) async throws -> Response {
///         let out = try request.start(type: "text/plain")
///         for tick in 1...3 {
///           try await out.write("\(tick)\n")
///           try await Task.sleep(for: .seconds(1))
///         }
///         return .streamed(out)
///       }
///     }
///
/// A handler runs in Swift's pool of threads, as many as there are cores: what computes for long or calls
/// functions that block belongs elsewhere, or into a `ConcurrentApp`.
public protocol AsyncApp: AppLifecycle, Sendable {
  /// Answers one request. The task is cancelled when the client goes or the deadline passes; functions of
  /// the request throw `HostError.gone` from then on. Errors mean what they do to an `App`.
  func respond(to request: AsyncRequest) async throws -> Response
}

extension AsyncApp {
  /// What asynchrony asks for.
  public static var flags: AppFlags { [] }

  /// The application's table, for `nsgi_entry`. Made anew at each call, and never freed: a server calls it
  /// once for each load.
  public static func entry(_ host: HostTable?) -> AppTable? {
    guard host != nil else { return nil }
    let needed: AppFlags = [.threadSafe, .neverWaits, .streamsBody, .answersLater]
    return Kit.makeTable(Self.self, flags.union(needed)) { AsyncService(try Self($0), $1) }
  }
}

/// Starts a task for each call.
final class AsyncService<Application: AsyncApp>: LivingService<Application> {
  override func call(_ view: UnsafePointer<nsgi_request>) -> Int32 {
    let exchange = AsyncExchange(host, view.pointee.id)
    let request = AsyncRequest(view, exchange)
    let app = app
    exchange.run {
      do {
        return try await app.respond(to: request).send(through: exchange)
      } catch {
        let log = Log(exchange.host, exchange.id)
        switch Failure(error, log, answering: "\(request.method) \(request.path)") {
        case .answer(let response): return response.send(through: exchange)
        case .result(let result): return result
        }
      }
    }
    return NSGI_ASYNC.rawValue
  }

  override func cancel(_ id: nsgi_id) { AsyncExchange.find(id)?.cancel() }
}

extension Response {
  /// Hands it to the server; an nsgi_result.
  fileprivate func send(through exchange: AsyncExchange) -> Int32 {
    exchange.whileAlive { send(to: exchange.host, exchange.id) } ?? NSGI_GONE.rawValue
  }
}
