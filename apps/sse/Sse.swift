// Server-sent events: N ticks, a moment apart, to as many clients as come. An async handler: no thread waits.
import NSGI

struct Ticker: AsyncApp {
  static let name = "sse"
  static let version = "1.0"

  private let interval: Duration

  init(_ boot: Boot) throws {
    let text = boot.options["interval-ms"] ?? "1000"
    guard let milliseconds = Int(text), milliseconds >= 0 else { throw BadInterval(text: text) }
    interval = .milliseconds(milliseconds)
  }

  func respond(to request: AsyncRequest) async throws -> Response {
    guard request.method == "GET" else { throw Abort(405) }
    guard let ticks = Int(request.parameter("n") ?? "10"), ticks > 0 else { throw Abort(400, "n=NUMBER\n") }
    let out = try request.start(type: "text/event-stream", headers: ["Cache-Control": "no-store"])
    for tick in 1...ticks {
      if tick > 1 { try await Task.sleep(for: interval) }
      try await out.write("id: \(tick)\nevent: tick\ndata: \(tick) of \(ticks)\n\n")
      try await out.flush()
    }
    return .streamed(out)
  }
}

/// An option that is no number.
struct BadInterval: Error, CustomStringConvertible {
  let text: String
  var description: String { "interval-ms=\(text): a number of milliseconds, please" }
}

@c(nsgi_entry) public func entry(_ host: HostTable?) -> AppTable? { Ticker.entry(host) }
