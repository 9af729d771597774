// A worker in the test process, on a thread of its own: real sockets, a real app, and system calls that
// a test may script.
import CLinux
import Config
import Control
import Foundation
import Support
import Testing

@testable import Host

/// Every suite that runs a worker stands in here, one test after another: `SystemScript` and the logs are
/// the process's.
@Suite(.serialized) enum WorkerSuites {}

/// One running worker with a fixture app.
final class WorkerBench {
  let worker: Worker
  let folder: TemporaryFolder
  private let runtime: RuntimeDirectory
  private let master: TestMaster?
  let generation: Generation
  private let reference: AppReference
  /// What `run` reads its signals from: a pipe in the place of a signalfd.
  private let signals: [Int32]
  private let ended = DispatchSemaphore(value: 0)
  private let outcome = Outcome()
  private var isStopped = false

  /// Set by the worker's thread before `ended` is signalled, read afterwards.
  private final class Outcome: @unchecked Sendable {
    var isQuiet = false
    var error: SystemError?
  }

  /// - Parameters:
  ///   - loop: how the loop asks the kernel; nil: as NSGI_IO says, as for a server.
  ///   - app: a fixture of Tests/Fixtures/apps.
  ///   - symbol: its entry; nil for the usual one.
  ///   - gateways: what is spoken on the sockets, one a listener, on 127.0.0.1.
  ///   - isStarted: false leaves the start to the test.
  ///   - isSupervised: there is a master, which is the test (`order`).
  init(
    loop: EventLoop? = nil,
    app: String = "conformance", symbol: String? = nil, _ gateways: [ListenerProtocol] = [.http1],
    onUnixSockets: Bool = false,
    mounts: [String] = [""], options: [Generation.Option] = [], threads: Int = 4,
    isStarted: Bool = true, isSupervised: Bool = false, settings change: (inout Settings) -> Void = { _ in }
  ) throws {
    var settings = Settings()
    settings.log.requests = false
    let said = ProcessInfo.processInfo.environment["NSGI_IO"].flatMap(EventLoop.init(rawValue:))
    settings.eventLoop = loop ?? said ?? .auto
    change(&settings)
    // As in a server (`takeSignals`): sendfile(2) to a peer that is gone raises it.
    clinux_disarm_write_signals()
    folder = try TemporaryFolder()
    runtime = try RuntimeDirectory.create(in: folder.path)
    reference = AppReference(path: try FixtureApp.path(app), symbol: symbol)
    generation = try Generation.load(
      reference, options: options, host: HostTable.shared, runtime: runtime)
    try generation.start()
    try generation.probe()
    let generation = generation
    let apps = mounts.map { App(mount: $0, name: generation.name, generation: generation, threads: threads) }
    var listeners: [Listener] = []
    for (index, gateway) in gateways.enumerated() {
      let address =
        onUnixSockets
        ? Config.Address.unix(path: folder.file("\(index).sock")) : .inet(host: "127.0.0.1", port: 0)
      listeners.append(
        try Listener.bind(
          ListenerSettings(address: address, gateway: gateway), files: settings.socketFiles,
          limits: settings.limits))
    }
    master = isSupervised ? try TestMaster(settings.supervision) : nil
    worker = try Worker(
      settings: settings, listeners: listeners, mounts: MountTable(apps), log: .shared,
      supervisor: master?.supervisor)
    // The watchdog's thread may outlive `run` by a moment.
    _ = Unmanaged.passRetained(worker)
    signals = try WorkerBench.pipe()
    if isStarted { start() }
  }

  deinit {
    if !isStopped { _ = try? stop() }
    for fd in signals { close(fd) }
    runtime.remove()
  }

  private static func pipe() throws -> [Int32] {
    var ends: [Int32] = [0, 0]
    guard Glibc.pipe(&ends) == 0 else { throw SupportError.system(call: "pipe", errno: errno) }
    for end in ends {
      try System.setNonBlocking(end)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    return ends
  }

  /// Runs the worker, if that was put off.
  func start() {
    Thread.detachNewThread { [worker, ended, outcome, signals] in
      do throws(SystemError) { outcome.isQuiet = try worker.run(signals: signals[0]) } catch {
        outcome.error = error
      }
      // The worker stays (see above), and there are more of them in this process than numbers.
      if outcome.isQuiet { WorkerRegistry.remove(worker, worker.number) }
      ended.signal()
    }
  }

  /// Another build of the same fixture, ready to take the place of the one at `mount`.
  func next(_ number: UInt32, mount: String = "", options: [Generation.Option] = []) throws -> App {
    let next = try Generation.load(
      reference, options: options, number: number, host: HostTable.shared, runtime: runtime)
    try next.start()
    try next.probe()
    return App(mount: mount, name: next.name, generation: next, threads: 4)
  }

  /// Says what a master says, and waits until the worker leaves.
  func order(_ verb: Message.Verb) throws {
    try master?.send(verb)
    try Deadline.usual.wait(for: "the worker to leave") {
      worker.common.hasBegunToStop ? () : nil
    }
  }

  /// Says something that a master says, with a descriptor that stays the caller's.
  func tell(_ message: Message, with descriptor: Int32 = -1) throws {
    try master?.send(message, with: descriptor)
  }

  /// Waits until the worker has said something to its master.
  func hear(_ verb: Message.Verb) throws { try master?.hear(verb) }

  /// Introduces another worker, which is the test.
  func introduce(_ title: String) throws -> OtherWorker {
    let ends = try OtherWorker.ends()
    defer { close(ends.its) }
    try master?.send(Message(.introduce, [.init("worker", title)]), with: ends.its)
    return OtherWorker(ends.ours)
  }

  /// Says a signal to the worker alone.
  func send(_ signal: Int32) {
    var information = signalfd_siginfo()
    information.ssi_signo = UInt32(signal)
    _ = write(signals[1], &information, MemoryLayout<signalfd_siginfo>.size)
  }

  /// Stops it and waits for its end.
  ///
  /// - Returns: what `run` returned.
  @discardableResult
  func stop(_ signal: Int32 = SIGTERM) throws -> Bool {
    send(signal)
    return try waitForEnd()
  }

  /// Waits for the end of `run`, which something else brings about.
  @discardableResult
  func waitForEnd() throws -> Bool {
    isStopped = true
    guard ended.wait(timeout: .now() + 30) == .success else {
      throw SupportError.timedOut(waitingFor: "the worker's end", output: "")
    }
    if let error = outcome.error { throw error }
    return outcome.isQuiet
  }

  /// Where a listener is.
  func address(_ index: Int = 0) throws -> Support.Address {
    let text = "\(worker.listeners[index].address)"
    guard let address = Support.Address(text) else { throw SupportError.malformedReply("address \(text)") }
    return address
  }

  /// Connects to a listener.
  func connect(_ index: Int = 0, receiveBuffer: Int32? = nil) throws -> RawSocket {
    try RawSocket(try address(index), receiveBuffer: receiveBuffer)
  }

  /// One GET on a connection of its own: proof that the worker is well.
  func isWell(_ path: String = "/ok") throws -> Bool {
    let socket = try connect()
    try socket.send(get(path))
    return try socket.receiveReply().status == 200
  }
}

/// A GET without anything special.
func get(_ path: String, _ fields: String = "") -> String {
  "GET \(path) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n"
}

/// A POST with a body of known length.
func post(_ path: String, _ body: [UInt8]) -> [UInt8] {
  Array("POST \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body
}
