import Control
import Glibc

/// One connection to the control socket: a line asks, lines answer, the last of which ends it.
struct Client {
  let descriptor: Int32
  var input: [UInt8] = []
  var output: [UInt8] = []
  /// One of the server's own processes, which may only read figures, again and again.
  var isViewer = false
  /// Who is at the other end, as the kernel says.
  var cause = ChangeRecord.Cause(.ctl)
  /// The answer is for a program.
  var isJSON = false
  /// Workers that are to show their requests before the client gets its answer.
  var awaited: Set<Int> = []
  /// The last line is written: close once it is sent.
  var isOver = false

  /// The longest question: two paths and some words.
  static let questionBytes = 16 * 1024
  /// The longest answer, and the most that may wait for a client that reads nothing. A snapshot has some 1
  /// KiB for each worker and application, and `Snapshot.servingBytes` for requests, which JSON may double.
  static let answerBytes = 8 << 20
}

/// How a change ended.
enum Outcome {
  /// Carried out, or nothing needed to be done.
  case done(String, changed: Bool)
  /// Nothing has changed; why.
  case refused(String)

  var text: String {
    switch self {
    case .done(let text, _), .refused(let text): text
    }
  }

  var isDone: Bool { if case .done = self { true } else { false } }
}

/// A message to a client.
enum Reply {
  /// A step towards the end.
  case progress(String)
  case end(Outcome)
  /// The whole answer to a question, line by line.
  case answer(lines: [String], JSON)
}

/// The control socket.
extension Master {
  /// Binds it; false, with a message that is not repeated, when that fails.
  func openControl() -> Bool {
    do {
      controlSocket = try System.controlSocket(controlPath)
      try watch(controlSocket, .control)
      controlTrouble = nil
      return true
    } catch {
      if controlSocket >= 0 { closeControl() }
      let reason =
        System.socketPlace(controlPath, error.code).sentence(controlPath)
        ?? "\(controlPath) cannot be bound "
        + "(\(error.code == ELOOP ? System.guardedReason(error) : error.description))"
      if reason != controlTrouble { MasterLog.announce("the control socket: \(reason)") }
      controlTrouble = reason
    }
    return false
  }

  /// The server is this master's, and so is the socket at the path.
  var ownsControl: Bool {
    if hasHandedOver { return false }
    return !plan.follows || hasTakenOver || plan.settings.supervision.controlSocket == nil
  }

  func closeControl() {
    guard controlSocket >= 0 else { return }
    unwatch(controlSocket)
    System.removeSocket(controlPath)
    controlSocket = -1
  }

  /// The server belongs to the master after this one: the socket that they share, or -1. It stays bound, so
  /// that clients wait in its backlog until that master has it.
  func giveControlUp() -> Int32 {
    guard controlSocket >= 0, plan.settings.supervision.controlSocket != nil else {
      closeControl()
      return -1
    }
    hearNoMore(controlSocket)
    defer { controlSocket = -1 }
    return controlSocket
  }

  /// What the master before has given up, or -1. Takes it over.
  func inheritControl(_ descriptor: Int32) {
    guard descriptor >= 0 else { return }
    defer { System.close(descriptor) }
    guard controlSocket < 0, let copy = try? System.duplicate(descriptor) else { return }
    do throws(SystemError) {
      try watch(copy, .control)
      controlSocket = copy
    } catch { System.close(copy) }
  }

  func acceptClient() {
    do throws(SystemError) {
      let fd = try System.accept(controlSocket)
      let id = nextNumber()
      do throws(SystemError) { try watch(fd, .client(id)) } catch {
        System.close(fd)
        throw error
      }
      clients[id] = Client(descriptor: fd)
      if let peer = System.peer(of: fd) { clients[id]!.cause = .init(user: peer.user, process: peer.process) }
    } catch  where ![EAGAIN, EINTR, ECONNABORTED, EPERM].contains(error.code) {
      // Waiting clients would be reported again and again until there is a descriptor to accept them with.
      MasterLog.warning("clients of the control socket wait for a second: \(error)")
      System.unwatch(epoll, controlSocket)
      alarms.set(.clients, seconds: 1)
    } catch {}
  }

  /// Watches the control socket again.
  func acceptClientsAgain() {
    guard controlSocket >= 0 else { return }
    do throws(SystemError) { try watch(controlSocket, .control) } catch {
      if error.code != EEXIST { alarms.set(.clients, seconds: 1) }
    }
  }

  /// Reads what a client says, and sends what waits for it.
  func clientSpeaks(_ id: Int) {
    guard clients[id] != nil else { return }
    send(to: id)
    guard let client = clients[id] else { return }
    do throws(SystemError) {
      let bytes = try System.receive(client.descriptor)
      guard !bytes.isEmpty else { return drop(id) }
      clients[id]!.input += bytes
    } catch {
      if !error.isMomentary { drop(id) }
      return
    }
    guard let end = clients[id]!.input.firstIndex(of: UInt8(ascii: "\n")) else {
      if clients[id]!.input.count > Client.questionBytes { drop(id) }
      return
    }
    let line = String(decoding: clients[id]!.input[..<end], as: UTF8.self)
    clients[id]!.input = []
    answer(id, line)
  }

  /// Sends a client a message; nil: nobody waits.
  func tell(_ id: Int?, _ reply: Reply) {
    guard let id, let client = clients[id], !client.isOver else { return }
    let line: String
    switch (reply, client.isJSON) {
    case (.progress(let text), true): line = JSON.object([("progress", .string(text))]).description
    case (.progress(let text), false): line = Printable.paragraph(text)
    case (.end(let outcome), let isJSON): line = last(outcome, isJSON)
    case (.answer(_, let json), true): line = JSON.object([("answer", json), ("exit", .int(0))]).description
    case (.answer(let lines, _), false):
      line = lines.map { Printable.text($0) + "\n" }.joined() + "exit 0"
    }
    var bytes = Array((line + "\n").utf8)
    if case .answer = reply, bytes.count > Client.answerBytes - client.output.count {
      // Tells the client, rather than leaving it in the middle of an answer.
      let reason = "the answer is longer than \(Client.answerBytes >> 20) MiB"
      bytes = Array((last(.refused(reason), client.isJSON) + "\n").utf8)
    }
    clients[id]!.output += bytes
    if case .progress = reply {} else { clients[id]!.isOver = !client.isViewer }
    send(to: id)
  }

  /// Tells those who wait for the change in progress what it does.
  func tellAskers(_ text: String) {
    for asker in releases.request?.askers ?? [] { tell(asker, .progress(text)) }
  }

  private func last(_ outcome: Outcome, _ isJSON: Bool) -> String {
    switch outcome {
    case .done(let text, let changed):
      let members: [(String, JSON)] = [
        ("ok", .bool(true)), ("changed", .bool(changed)), ("text", .string(text)), ("exit", .int(0)),
      ]
      return isJSON ? JSON.object(members).description : Printable.paragraph(text) + "\nexit 0"
    case .refused(let reason):
      let members: [(String, JSON)] = [("ok", .bool(false)), ("text", .string(reason)), ("exit", .int(1))]
      return isJSON
        ? JSON.object(members).description : "refused: \(Printable.paragraph(reason))\nexit 1"
    }
  }

  private func send(to id: Int) {
    guard let client = clients[id] else { return }
    var sent = 0
    while sent < client.output.count {
      do throws(SystemError) {
        sent += try System.send(client.descriptor, client.output[sent...])
      } catch {
        guard error.isMomentary else { return drop(id) }
        break
      }
    }
    clients[id]!.output.removeFirst(sent)
    let isEmpty = clients[id]!.output.isEmpty
    if isEmpty, clients[id]!.isOver { return drop(id) }
    if clients[id]!.output.count > Client.answerBytes { return drop(id) }
    try? System.watch(epoll, client.descriptor, output: !isEmpty, isNew: false)
  }

  private func drop(_ id: Int) {
    guard let client = clients.removeValue(forKey: id) else { return }
    unwatch(client.descriptor)
  }

  /// The server ends: tells everybody who waits. A viewer would take it for figures.
  func flushClients() {
    for (id, client) in clients {
      if !client.isViewer { tell(id, .end(.done("stopped", changed: true))) }
      if clients[id] != nil { drop(id) }
    }
  }
}
