import Config
import Control
import Glibc

/// What a worker knows about its supervision: the link to the master, the scoreboard, and when it asks to be
/// replaced. Belongs to the leader.
struct Supervisor {
  let link: ControlLink
  let board: Scoreboard
  /// The worker's place among the others, from 0.
  let seat: Int
  /// Requests after which the worker asks to be replaced.
  private let lastRequest: UInt64
  private let settings: SupervisionSettings
  /// It has asked already: once is enough.
  private var hasExpired = false
  private var nextLook: UInt64 = 0
  private static let lookPeriod: UInt64 = 1_000_000_000

  init(_ assignment: Assignment, _ board: Scoreboard, _ settings: SupervisionSettings) {
    link = assignment.link
    self.board = board
    seat = assignment.orders.worker
    self.settings = settings
    let extra = settings.maxRequestsDelta > 0 ? Int.random(in: 0...settings.maxRequestsDelta) : 0
    lastRequest = settings.maxRequests > 0 ? UInt64(settings.maxRequests + extra) : .max
  }

  /// Checks, at most once a second, whether the worker should be replaced.
  mutating func look(_ now: UInt64) {
    board[.lastTurn].value = now
    guard !hasExpired, now >= nextLook else { return }
    nextLook = now &+ Supervisor.lookPeriod
    if board[.requests].value >= lastRequest {
      expire("it has served \(board[.requests].value) requests (--max-requests)")
    } else if settings.boundsMemory {
      lookAtMemory()
    }
  }

  private mutating func lookAtMemory() {
    let memory = System.memory()
    if settings.maxResidentBytes > 0, memory.resident > settings.maxResidentBytes {
      expire("it holds \(memory.resident >> 20) MiB (--reload-on-rss)")
    } else if settings.maxVirtualBytes > 0, memory.virtual > settings.maxVirtualBytes {
      expire("its address space is \(memory.virtual >> 20) MiB (--reload-on-as)")
    } else if settings.maxOwnBytes > 0, case let bytes = System.ownBytes(), bytes > settings.maxOwnBytes {
      expire("\(bytes >> 20) MiB are its own (--reload-on-uss)")
    }
  }

  /// Asks to be replaced.
  mutating func expire(_ reason: String) {
    guard !hasExpired else { return }
    hasExpired = true
    link.send(Message(.expired, [Message.reason(reason)]))
  }
}

/// A worker under a master: the messages that it gets, and how it leaves.
extension Worker {
  /// Reports that the worker has begun to accept.
  func reportReady() {
    if !acceptor.presented.identities.isEmpty { lookAtCertificates() }
    guard let supervisor else { return }
    var fields: [Message.Field] = []
    for app in apps.mounts.apps.sorted(by: { $0.place < $1.place }) {
      supervisor.board[.generation, app: app.place].value = UInt64(app.generation.number)
      fields.append(.init("app", "\(app.place)"))
      fields.append(.init("generation", "\(app.generation.number)"))
      fields.append(.init("name", app.name))
      fields.append(.init("version", app.generation.version))
      fields.append(.init("unloadable", app.generation.isUnloadable ? "1" : "0"))
      fields.append(.init("calls", "\(app.calls.pointee.threads)"))
    }
    supervisor.link.send(Message(.loaded, LoadedLibraries.shared.report.fields))
    supervisor.link.send(Message(.ready, fields))
    Sociability.note(.serves)
  }

  /// Takes the master's messages.
  func serveControl() {
    guard let link = supervisor?.link else { return }
    while true {
      switch link.receive() {
      case .nothing: return
      case .message(let message, let descriptor):
        heed(message, descriptor)
        if descriptor >= 0 { System.close(descriptor) }
      case .ended:
        // The master is gone: the next one must be able to bind at once.
        try? reactor.remove(link.fd)
        !departure.isUnderWay ? stop() : hurry()
        return
      }
    }
  }

  private func heed(_ message: Message, _ descriptor: Int32) {
    switch message.verb {
    case .retire: retire()
    case .stop: !departure.isUnderWay ? stop() : hurry()
    case .quit: departure.endNow()
    case .rouse: rouse()
    // The turn that has read it is the answer.
    case .beat: break
    case .trace: showStacks()
    case .introduce: meet(message, descriptor)
    case .unready: departure.isUnready = true
    case .tickets:
      acceptor.presented.use(message.all("ticket"))
      lookAtCertificates()
    case .certificates: takeCertificates(message, descriptor)
    case .reopen: takeLog(message, descriptor)
    case .save: save(message, descriptor)
    case .swap: swapInPlace(message)
    case .remember: setRecall(message)
    case .recall: writeRecall(into: descriptor)
    case .attend: attend(descriptor)
    default: log.warning("the master said \(message.verb.rawValue), which a worker does not do")
    }
  }

  /// The master has reopened a log; the file that the worker wrote to has been renamed.
  private func takeLog(_ message: Message, _ descriptor: Int32) {
    guard descriptor >= 0, let standard = message.number("standard"), [1, 2].contains(standard) else {
      return
    }
    do { try System.replace(Int32(standard), by: descriptor) } catch {
      log.error("the log cannot be reopened: \(error)")
    }
  }

  /// The kernel has woken a worker that does not take the connection, because it is stopped or hangs:
  /// watching the socket anew makes the kernel report what waits there again.
  private func rouse() {
    guard !departure.isUnderWay, acceptor.admission == .open else { return }
    for index in listeners.indices {
      try? reactor.remove(listeners[index].fd)
      do { try watch(index) } catch { acceptor.admission = .short }
    }
  }

  /// The state of an app, for the generation that follows it in another worker. save() may take its time and
  /// run while calls do (docs/NSGI.md §2.5): it has a thread of its own, which the end waits for like for any
  /// thread that is in an app. With `--threads 1` the app knows only one thread, and the loop waits.
  private func save(_ message: Message, _ descriptor: Int32) {
    guard let place = message.number("app"), let link = supervisor?.link else { return }
    let generation = apps.mounts.apps.first { $0.place == place }?.generation
    let answer = { @Sendable (count: Int?) in
      link.send(Message(.saved, [.init("app", "\(place)"), .init("bytes", "\(count ?? -1)")]))
    }
    guard let generation, let file = try? System.duplicate(descriptor) else { return answer(nil) }
    let save = { @Sendable in
      answer(generation.save(into: file))
      System.close(file)
    }
    guard leading.home == nil else {
      if leading.isAway { leading.errands.append(save) } else { save() }
      return
    }
    if !startCounted({ _ in save() }) { save() }
  }
}
