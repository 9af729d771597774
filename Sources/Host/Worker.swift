import CLinux
import CNSGI
import Config
import Glibc
import Wire

typealias ConnectionPointer = UnsafeMutablePointer<Connection>
typealias ExchangePointer = UnsafeMutablePointer<Exchange>

/// The process that serves: one reactor, its listeners, connections and applications.
///
/// All of it belongs to the leader, the thread that runs `run`; an application reaches it only through the
/// host table. The life of a request is in Connection/Life.swift.
final class Worker {
  /// SERVER_SOFTWARE and the Server field.
  static let software: StaticString = "nsgi-server/0.1.0"

  let settings: Settings
  let limits: Limits
  let log: Log
  var reactor: Reactor
  var timers: TimerWheel
  var connections: Slab<Connection>
  var exchanges: Slab<Exchange>
  var blocks: BlockPool
  var listeners: [Listener]
  let mounts: MountTable
  /// Connections with requests in their buffer and no event to come: pipelining is served in turns.
  var postponed: [Token] = []
  /// Monotonic nanoseconds at the beginning of this turn of the loop.
  var now: UInt64
  var date: DateField
  var accessLog: AccessLog
  /// FCGI_WEB_SERVER_ADDRS (FastCGI §3.2): the only peers that may speak FastCGI to us; nil for all.
  let webServers: [IPAddress]?
  /// Why the loop ends; nil while it runs.
  var stopping: Stop?
  /// Accepting pauses after EMFILE until a descriptor is free.
  var isAcceptPaused = false
  /// CGI: the answer did not reach the web server.
  var cgiFailed = false

  /// How a worker ends.
  enum Stop { case graceful(deadline: UInt64), immediate }

  /// - Parameters:
  ///   - listeners: bound and listening; the worker does not close what it inherited.
  ///   - generations: loaded and started applications with their mounts.
  init(
    settings: Settings, listeners: [Listener], mounts: MountTable, log: Log
  ) throws(SystemError) {
    self.settings = settings
    self.listeners = listeners
    self.mounts = mounts
    self.log = log
    limits = settings.limits
    now = System.now()
    reactor = try Reactor()
    timers = TimerWheel(now: now)
    webServers = System.environmentValue("FCGI_WEB_SERVER_ADDRS").map {
      $0.split(separator: ",").compactMap { IPAddress(parsing: $0.filter { $0 != " " }) }
    }
    date = DateField()
    blocks = BlockPool(kept: 256)
    accessLog = AccessLog(settings.log)
    let headLimits = HeadLimits(limits)
    connections = Slab { Connection(slot: $0, codec: Codec(.http1, limits: headLimits)) }
    exchanges = Slab { _ in fatalError("replaced below") }
    exchanges = Slab { [unowned(unsafe) self] slot in
      Exchange(
        slot: slot, worker: self, fields: self.limits.headerFields,
        responseHeadBytes: self.limits.responseHeadBytes)
    }
  }

  @inline(__always)
  func connection(_ slot: UInt32) -> ConnectionPointer { connections.record(slot) }

  /// The link of the timer wheel in a connection.
  @inline(__always)
  func timer(_ slot: UInt32) -> UnsafeMutablePointer<TimerWheel.Entry> {
    // The record lives at a fixed address in its slab.
    withUnsafeMutablePointer(to: &connections.record(slot).pointee.timer) { $0 }
  }

  // MARK: The loop

  /// Serves until a stop signal and the end of what is under way.
  func run() throws(SystemError) {
    let signals = try System.signalDescriptor([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1])
    clinux_ignore_sigpipe()
    try reactor.add(signals, .read, Token(.signal, slot: UInt32(signals)))
    for index in listeners.indices { try watch(index) }
    while !isDone {
      let count = try reactor.wait(milliseconds: waitMilliseconds)
      now = System.now()
      for index in 0..<count { handle(reactor.event(index)) }
      if !postponed.isEmpty { servePostponed() }
      advanceTimers()
      accessLog.flush()
    }
    closeAll()
    System.close(signals)
  }

  private var waitMilliseconds: Int32 {
    if !postponed.isEmpty { return 0 }
    if stopping != nil { return 100 }
    return timers.count > 0 || isAcceptPaused ? 250 : -1
  }

  @inline(__always)
  private func handle(_ event: Readiness) {
    switch event.token.kind {
    case .connection:
      let connection = connections.record(event.token.slot)
      guard connection.pointee.token == event.token, connection.pointee.state != .closed else { return }
      if event.canWrite, connection.pointee.hasOutput { flushed(connection) }
      if event.canRead, connection.pointee.token == event.token { receive(connection) }
    case .listener: accept(Int(event.token.slot))
    case .signal: signalled(Int32(event.token.slot))
    case nil: break
    }
  }

  /// One more turn for connections whose buffer still holds requests.
  private func servePostponed() {
    let turn = postponed
    postponed.removeAll(keepingCapacity: true)
    for token in turn {
      let connection = connections.record(token.slot)
      guard connection.pointee.token == token, connection.pointee.isPostponed else { continue }
      connection.pointee.isPostponed = false
      decode(connection)
    }
  }

  // MARK: Stopping

  private func signalled(_ descriptor: Int32) {
    while true {
      switch clinux_next_signal(descriptor) {
      case 0: return
      case SIGUSR1, SIGHUP: log.reopen()
      default: stop()
      }
    }
  }

  /// First time: no new connections, what is under way is answered. Second time: now.
  func stop() {
    guard stopping == nil else {
      stopping = .immediate
      return
    }
    stopping = .graceful(deadline: now &+ UInt64(limits.gracefulSeconds * 1e9))
    ProcessSetup.notify("STOPPING=1")
    for listener in listeners { try? reactor.remove(listener.fd) }
    for slot in 0..<UInt32(connections.capacity) where connections.record(slot).pointee.state == .idle {
      close(connections.record(slot))
    }
  }

  private var isDone: Bool {
    switch stopping {
    case nil: false
    case .immediate: true
    case .graceful(let deadline): connections.alive == 0 || now > deadline
    }
  }

  private func closeAll() {
    for slot in 0..<UInt32(connections.capacity) where connections.record(slot).pointee.state != .closed {
      close(connections.record(slot))
    }
    accessLog.flush()
  }
}
