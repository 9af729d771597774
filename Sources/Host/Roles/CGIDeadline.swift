import Config
import Synchronization
import Wire

/// `--harakiri` of a CGI process: it ends in time, whatever the application does. While the application loads
/// there is no loop to answer, and no request yet; later the loop answers, and this class makes sure that the
/// process ends even if its web server takes nothing, or a call holds up the loop.
final class CGIDeadline: Sendable {
  private let isLoaded = Atomic<Bool>(false)

  /// Begins, if requests have a time limit.
  init(_ limits: Limits, _ streams: CGIStreams) {
    let seconds = limits.requestTimeoutSeconds
    guard seconds > 0 else { return }
    let due = System.now() &+ UInt64(seconds * 1e9)
    _ = System.startThread { [self] in
      CGIDeadline.sleep(until: due)
      if !isLoaded.exchange(true, ordering: .acquiringAndReleasing) {
        Server.announce("the application takes too long to load (--harakiri)")
        var text = CGIDeadline.late
        text.withUTF8 { try? System.writeAll(streams.output, UnsafeRawBufferPointer($0)) }
        System.endAtOnce(1)
      }
      CGIDeadline.sleep(until: System.now() &+ UInt64((seconds + limits.cancelGraceSeconds) * 1e9))
      Server.announce(
        "the answer cannot be brought to an end in time (--harakiri); the process ends without it")
      System.endAtOnce(1)
    }
  }

  /// The application is loaded; false if that came too late.
  func loaded() {
    while isLoaded.exchange(true, ordering: .acquiringAndReleasing) { System.pause(microseconds: 1_000_000) }
  }

  private static func sleep(until due: UInt64) {
    while case let left = Int64(bitPattern: due &- System.now()), left > 0 {
      System.pause(microseconds: UInt32(min(left / 1000 + 1, 500_000)))
    }
  }

  private static var late: String {
    let body = "504 Gateway Timeout: the application did not answer in time\n"
    let status = CGIEnvironment.isNonParsed ? "HTTP/1.1 504 Gateway Timeout" : "Status: 504 Gateway Timeout"
    return "\(status)\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: \(body.utf8.count)\r\n"
      + "\(CGIEnvironment.isNonParsed ? "Connection: close\r\n" : "")\r\n\(body)"
  }
}

extension Worker {
  /// The leader of a CGI process whose answer has left while its call goes on: nobody waits for it.
  func endCGIInCall() {
    guard let connection = departure.cgi.connection, let exchange = connection.exchange,
      connection.isDetached
    else { return }
    account(exchange)
    requestLines.access.flush()
    System.endAtOnce(1)
  }
}
