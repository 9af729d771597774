import Config
import Control
import Glibc
import Host
import Posix

/// A process with builds that requests are replayed to: a worker like any other, except that it has no
/// socket. Its connections come by the link to it, so nobody else can reach it.
final class BuildCopy: ReplayTarget {
  private let pid: pid_t
  private let link: Int32
  /// The other end of what it takes for its listening socket: nothing ever comes there.
  private let door: Int32
  /// It serves.
  private(set) var isReady = false
  /// Why it does not, in its own words.
  private(set) var failure: String?
  private var ending: Ending?
  /// Room for a part of an answer.
  private var piece = [UInt8](repeating: 0, count: 64 << 10)

  /// Starts it.
  ///
  /// - Parameters:
  ///   - orders: what it is to load; what it needs besides is added here.
  ///   - role: the first word on the command line of a process with orders.
  init(_ orders: Orders, role: String) throws(SystemError) {
    (pid, link, door) = try BuildCopy.start(orders, role)
  }

  deinit {
    System.close(link)
    System.close(door)
  }

  private static func start(
    _ orders: Orders, _ role: String
  ) throws(SystemError) -> (pid_t, Int32, Int32) {
    var (handed, kept): ([Int32], [Int32]) = ([], [])
    defer { for descriptor in handed + kept { System.close(descriptor) } }
    let control = try System.packetPair()
    handed.append(control.other)
    kept.append(control.own)
    let door = try System.packetPair()
    handed.append(door.other)
    kept.append(door.own)
    let board = try System.sealedMemory("scoreboard", Scoreboard.bytes)
    handed.append(board)
    let spools = try System.sealedMemory("spools", SpoolShares.bytes)
    handed.append(spools)
    var orders = orders
    orders.sockets = [
      .init(
        descriptor: HandedDescriptor.first, gateway: ListenerProtocol.scgi.rawValue, address: "@replay")
    ]
    var map = [
      (control.other, HandedDescriptor.control), (board, HandedDescriptor.scoreboard),
      (spools, HandedDescriptor.spools), (door.other, HandedDescriptor.first),
    ]
    var held: [HeldFile] = []
    for file in orders.held {
      let place = HandedDescriptor.first + 1 + Int32(held.count)
      map.append((file.descriptor, place))
      held.append(HeldFile(kind: file.kind, descriptor: place, path: file.path))
    }
    orders.held = held
    let paper = try System.memoryFile("orders", orders.message.bytes)
    handed.append(paper)
    map.append((paper, HandedDescriptor.orders))
    let variable = "NSGI_REPLAY="
    let environment = ProcessEnvironment.lines.filter { !$0.hasPrefix(variable) } + [variable + "1"]
    let pid = try Spawn(
      "/proc/self/exe", ["server", role] + orders.title, descriptors: map, environment: environment
    ).start()
    kept = []
    return (pid, control.own, door.own)
  }

  // MARK: Life

  var isAlive: Bool {
    if ending == nil { ending = System.ending(of: pid) }
    return ending == nil
  }

  var residentBytes: Int { System.memory(of: pid).resident }

  /// Waits until it serves, or says why it does not; `end` in monotonic nanoseconds.
  func awaitReady(until end: UInt64) {
    while !isReady, failure == nil {
      let now = System.now()
      guard now < end else {
        failure = "it did not become ready in time (--swap-timeout)"
        return
      }
      if System.waitReadable(link, milliseconds: BuildCopy.milliseconds(end - now)) { hear() }
    }
  }

  /// Milliseconds to wait at a time for something that may take so many nanoseconds.
  private static func milliseconds(_ left: UInt64) -> Int32 { Int32(min(1000, left / 1_000_000 + 1)) }

  private func hear() {
    do throws(SystemError) {
      let bytes = try System.receivePacket(link)
      guard !bytes.isEmpty else { return hasEnded() }
      guard let message = Message(bytes) else { return }
      if message.verb == .ready { isReady = true }
      if message.verb == .failed { failure = message["reason"] ?? "no reason given" }
    } catch {
      if !error.isMomentary, error.code != EMSGSIZE { hasEnded() }
    }
  }

  private func hasEnded() {
    awaitEnd()
    failure = failure ?? "it ended with \(ending?.description ?? "no word") before it was ready"
  }

  /// Its connections have ended: so will it, if it is about to.
  private func awaitEnd() {
    for _ in 0..<20 where isAlive { System.pause(microseconds: 10_000) }
  }

  /// Tells it to end.
  func stop() { try? System.sendPacket(link, Message(.stop).bytes) }

  /// Waits for its end; kills it if it goes on beyond `end`, in monotonic nanoseconds.
  func awaitEnd(until end: UInt64) {
    while isAlive, System.now() < end { System.pause(microseconds: 2000) }
    guard isAlive else { return }
    System.signal(pid, SIGKILL)
    ending = Spawn.waitForEnd(of: pid)
  }

  // MARK: Requests

  func ask(_ request: ReplayRequest, patience: UInt64) -> ReplayAnswer {
    guard isAlive else { return none("its process has ended") }
    var reader = AnswerReader(most: Limits.replayBodyBytes)
    let began = System.now()
    do throws(SystemError) {
      let connection = try System.streamPair()
      defer { System.close(connection.own) }
      try hand(connection.other)
      if let fault = try exchange(request, connection.own, &reader, until: began &+ patience) {
        return none(fault)
      }
    } catch { return none(reason("\(error)")) }
    reader.end(isHead: request.isHead)
    var answer = reader.answer
    answer.microseconds = (System.now() - began) / 1000
    if let fault = answer.fault { answer.fault = reason(fault) }
    return answer
  }

  /// Why there is no whole answer: the end of the process, if it has ended with its connections.
  private func reason(_ fault: String) -> String {
    awaitEnd()
    return ending.map { "its process died of \($0.description)" } ?? fault
  }

  /// Hands it one end of a connection, which is closed here.
  private func hand(_ descriptor: Int32) throws(SystemError) {
    defer { System.close(descriptor) }
    try System.sendPacket(link, Message(.attend).bytes, descriptor: descriptor)
  }

  private func none(_ fault: String) -> ReplayAnswer {
    var answer = ReplayAnswer()
    answer.fault = fault
    return answer
  }

  /// Sends the request, and reads the answer to its end; returns why that does not come.
  private func exchange(
    _ request: ReplayRequest, _ connection: Int32, _ reader: inout AnswerReader, until end: UInt64
  ) throws(SystemError) -> String? {
    let began = System.now()
    var rest = request.bytes[...]
    while true {
      let now = System.now()
      guard now < end else { return "not within \((now - began) / 1_000_000) ms" }
      guard
        System.waitForEither(
          connection, writes: !rest.isEmpty, milliseconds: BuildCopy.milliseconds(end - now))
      else { continue }
      if !rest.isEmpty {
        do throws(SystemError) { rest = rest.dropFirst(try System.sendSome(connection, rest)) } catch {
          // An answer may have come before all of the request was taken.
          if !error.isMomentary { rest = [] }
        }
        continue
      }
      do throws(SystemError) {
        let count = try System.receiveSome(connection, &piece)
        if count == 0 { return nil }
        reader.take(piece[..<count])
      } catch {
        guard error.isMomentary else { throw error }
      }
      if reader.count > Limits.replayAnswerBytes {
        return "more than \(Limits.replayAnswerBytes >> 20) MiB"
      }
    }
  }
}
