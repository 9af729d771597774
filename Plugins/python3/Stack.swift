// What Python does for a request that takes too long, for the log.
import CNSGI
import CPython
import Glibc

/// The Python stack of a request under way. No lock of the interpreter is taken: who is stuck may hold it.
enum Stack {
  /// The server gives a request up: its time is over, or its client is gone. Only the first is news.
  static func cancelled(_ app: UnsafeMutablePointer<WSGIApp>, _ request: UnsafePointer<nsgi_request>) {
    let (id, bound) = (request.pointee.id, app.pointee.harakiri)
    guard bound > 0, let text = of(id, longerThan: bound * 0.9) else { return }
    let host = app.pointee.host
    for line in ["Python stack of the request whose time is over:"]
      + text.split(separator: "\n").map(String.init)
    {
      var line = line
      line.withUTF8 {
        let start = UnsafeRawPointer($0.baseAddress!).assumingMemoryBound(to: CChar.self)
        host.pointee.log(id, Int32(NSGI_ERROR.rawValue), nsgi_str(p: start, n: $0.count))
      }
    }
  }

  /// The stack of the thread that is with a request; nil when none is, or not for that many seconds.
  private static func of(_ id: nsgi_id, longerThan seconds: Double) -> String? {
    Threads.withAll { slots in
      guard let slot = slots.first(where: { $0.id == id }),
        Double(now() - slot.began) >= seconds * 1e9
      else { return nil }
      return System.text { _Py_DumpTraceback($0, slot.state) }
    }
  }

  /// Monotonic nanoseconds, to a few milliseconds.
  @inline(__always)
  static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}
