// my_app: an application for nsgi-server.
import NSGI

/// Made once in each worker process; being a ConcurrentApp, it answers on several threads at once.
struct Application: ConcurrentApp {
  static let name = "my_app"
  static let version = "0.1.0"

  init(_ boot: Boot) throws {}

  func respond(to request: borrowing Request) throws -> Response {
    guard request.path == "/" else { throw Abort(404, "There is nothing here.\n") }
    return .text("Hello World!\n")
  }
}

@c(nsgi_entry) public func entry(_ host: HostTable?) -> AppTable? { Application.entry(host) }
