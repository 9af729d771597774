// Messages of the server's threads to the thread of the event loop. They take no interpreter lock for it: the
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

/// Events of a request that the event loop has; the numbers are those of serving.py.
enum ASGISignal: Int {
  /// The condition that it waits for may hold.
  case ready = 1
  /// Its client is gone, or its time is up.
  case cancelled = 2
}

/// The inbox of the event loop. Any thread; its contents are guarded by `lock`.
enum ASGIInbox {
  private nonisolated(unsafe) static var requests: [WaitingRequest] = []
  /// How many of `requests` have been taken: those stay at its start until all are.
  private nonisolated(unsafe) static var taken = 0
  private nonisolated(unsafe) static var signals: [(id: nsgi_id, signal: ASGISignal)] = []
  private nonisolated(unsafe) static var news: [SocketNews] = []
  /// Messages of each WebSocket in `news`, and their bytes.
  private nonisolated(unsafe) static var waiting: [nsgi_ws_id: (messages: Int, bytes: Int)] = [:]
  /// Descriptor that makes the loop look; -1 before there is a loop.
  private nonisolated(unsafe) static var bell: Int32 = -1
  /// When the bell was rung, until the loop hears it; 0: it is silent.
  private nonisolated(unsafe) static var rungAt: UInt64 = 0
  /// No bell was rung for it: the loop's own thread has put it here.
  private nonisolated(unsafe) static var isSilent = false
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

  /// The descriptor of the bell, made on first use; -1 if there is none.
  static func makeBell() -> Int32 {
    locked {
      if bell < 0 { bell = System.makeBell() }
      return bell
    }
  }

  /// For a copy of the process, in which all threads but one are gone: the event loop that the bell wakes
  /// belongs to its parent.
  static func forgetBell() {
    guard bell >= 0 else { return }
    System.close(bell)
    bell = -1
  }

  /// The server calls an application.
  static func add(_ request: WaitingRequest) {
    locked {
      requests.append(request)
      ring()
    }
  }

  /// Counts a message of a WebSocket that is to be added. True if as much waits then as an application may
  /// leave unread: the client has to wait. (websocket.py goes on from there, and lets the client go on.)
  static func fills(_ id: nsgi_ws_id, _ count: Int) -> Bool {
    locked {
      var sum = waiting[id] ?? (0, 0)
      sum.messages += 1
      sum.bytes += count
      waiting[id] = sum
      return sum.messages >= ASGISockets.most.messages || sum.bytes >= ASGISockets.most.bytes
    }
  }

  /// Adds an event of a WebSocket.
  static func add(_ event: SocketNews) {
    locked {
      news.append(event)
      ring()
    }
  }

  /// Takes the events of WebSockets since the last call.
  static func takeNews() -> [SocketNews] {
    locked {
      defer {
        news.removeAll(keepingCapacity: news.count < 1024)
        waiting.removeAll(keepingCapacity: waiting.count < 1024)
      }
      return news
    }
  }

  /// Adds an event of a request. If the request still waits here, nobody has it: its exchange ends at once.
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

  /// Call it under the lock.
  private static func ring() {
    guard rungAt == 0 else { return }
    rungAt = System.nanoseconds
    isSilent = LedLoop.ring()
    if !isSilent { System.ring(bell) }
  }

  /// Takes signals, and at most this many requests; `isMore` if others wait.
  static func take(
    requests most: Int, _ isMore: inout Bool
  ) -> (requests: [WaitingRequest], signals: [(id: nsgi_id, signal: ASGISignal)]) {
    locked {
      if !isSilent { System.silence(bell) }
      (rungAt, isSilent) = (0, false)
      let end = taken + min(requests.count - taken, max(0, most))
      let found = Array(requests[taken..<end])
      taken = end
      isMore = taken < requests.count
      // Taken requests are removed from time to time, so that a queue costs no more than its length.
      if !isMore || taken >= 1024 {
        requests.removeFirst(taken)
        taken = 0
      }
      let told = signals
      signals.removeAll(keepingCapacity: true)
      return (found, told)
    }
  }

  /// Nanoseconds since the bell began to ring unheard; 0 when it is silent.
  static var unheard: UInt64 { locked { rungAt == 0 ? 0 : System.nanoseconds &- rungAt } }

  /// Ends requests of an application that nobody will take.
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
