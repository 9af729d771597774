// What the server's threads say to the thread of the event loop. They take no interpreter's lock for it: the
// leader goes on while Python runs.
import CNSGI
import CPython
import Glibc

/// A request that waits for the event loop.
struct WaitingRequest {
  let app: UnsafeMutablePointer<ASGIApp>
  let id: nsgi_id
  /// Lent by the server until the exchange finishes.
  let request: UnsafePointer<nsgi_request>
}

/// What befalls a request that the event loop has; the numbers are those of serving.py.
enum ASGISignal: Int {
  /// What it waits for may be so.
  case ready = 1
  /// Its client is gone, or its time is over.
  case cancelled = 2
}

/// The inbox of the event loop. Any thread; what is in it is guarded by `lock`.
enum ASGIInbox {
  private nonisolated(unsafe) static var requests: [WaitingRequest] = []
  /// How many of `requests` have been taken: those stand at its start until all are.
  private nonisolated(unsafe) static var taken = 0
  private nonisolated(unsafe) static var signals: [(id: nsgi_id, signal: ASGISignal)] = []
  private nonisolated(unsafe) static var news: [SocketNews] = []
  /// Descriptor that has the loop look; -1 before there is a loop.
  private nonisolated(unsafe) static var bell: Int32 = -1
  /// When the bell was rung, until the loop has heard it; 0: it is silent.
  private nonisolated(unsafe) static var rungAt: UInt64 = 0
  private nonisolated(unsafe) static let lock: UnsafeMutablePointer<pthread_mutex_t> = {
    let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
    return lock
  }()

  private static func locked<Result>(_ body: () -> Result) -> Result {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    return body()
  }

  /// There is an event loop.
  static var isInUse: Bool { locked { bell >= 0 } }

  /// The descriptor of the bell, made on first use; -1 without one.
  static func makeBell() -> Int32 {
    locked {
      if bell < 0 { bell = System.makeBell() }
      return bell
    }
  }

  /// The server calls an application.
  static func add(_ request: WaitingRequest) {
    locked {
      requests.append(request)
      ring()
    }
  }

  /// Something befalls a WebSocket.
  static func add(_ event: SocketNews) {
    locked {
      news.append(event)
      ring()
    }
  }

  /// What has befallen WebSockets since the last time.
  static func takeNews() -> [SocketNews] {
    locked {
      defer { news.removeAll(keepingCapacity: news.count < 1024) }
      return news
    }
  }

  /// Something befalls a request. One that waits here still is nobody's: its exchange ends at once.
  static func add(_ id: nsgi_id, _ signal: ASGISignal) {
    let waiting: WaitingRequest? = locked {
      let place = signal == .cancelled ? requests[taken...].firstIndex { $0.id == id } : nil
      if let place { return requests.remove(at: place) }
      signals.append((id, signal))
      ring()
      return nil
    }
    if let waiting { _ = waiting.app.pointee.host.pointee.finish(id, NSGI_GONE.rawValue) }
  }

  /// Under the lock.
  private static func ring() {
    guard rungAt == 0 else { return }
    rungAt = System.nanoseconds
    System.ring(bell)
  }

  /// Takes signals, and at most so many requests; `isMore` when others wait.
  static func take(
    requests most: Int, _ isMore: inout Bool
  ) -> (requests: [WaitingRequest], signals: [(id: nsgi_id, signal: ASGISignal)]) {
    locked {
      System.silence(bell)
      rungAt = 0
      let end = min(requests.count, taken + max(0, most))
      let found = Array(requests[taken..<end])
      taken = end
      isMore = taken < requests.count
      // What has been taken is let go now and then, so that a queue costs no more than its length.
      if !isMore || taken >= 1024 {
        requests.removeFirst(taken)
        taken = 0
      }
      let told = signals
      signals.removeAll(keepingCapacity: true)
      return (found, told)
    }
  }

  /// Nanoseconds for which the loop has not heard the bell; 0 when it is silent.
  static var unheard: UInt64 { locked { rungAt == 0 ? 0 : System.nanoseconds &- rungAt } }

  /// Requests of an application that nobody will take end.
  static func removeAll(of app: UnsafeMutablePointer<ASGIApp>) {
    let found: [WaitingRequest] = locked {
      let found = requests[taken...].filter { $0.app == app }
      requests = requests[taken...].filter { $0.app != app }
      taken = 0
      return found
    }
    for one in found { _ = app.pointee.host.pointee.finish(one.id, NSGI_FAIL.rawValue) }
  }
}
