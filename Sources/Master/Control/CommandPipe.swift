// The pipe of uWSGI's `master-fifo`: each byte written to it is a command. Only its owner may use it, as with
// the control socket, and it is made and opened like the master's other files.
import Config
import Control
import Glibc

/// What a byte asks for.
private enum PipeCommand {
  case reload, stop, stopAtOnce, reopenLogs, status, help
  /// One of uWSGI's that does not exist here: what to do instead.
  case absent(String)

  init?(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "r"), UInt8(ascii: "R"), UInt8(ascii: "c"), UInt8(ascii: "w"), UInt8(ascii: "W"):
      self = .reload
    case UInt8(ascii: "q"): self = .stop
    case UInt8(ascii: "Q"): self = .stopAtOnce
    case UInt8(ascii: "l"), UInt8(ascii: "L"): self = .reopenLogs
    case UInt8(ascii: "s"): self = .status
    case UInt8(ascii: "?"): self = .help
    case UInt8(ascii: "p"):
      self = .absent("the server does not pause; stop it, or take it out of the front end")
    case UInt8(ascii: "P"): self = .absent("the pid file is right as long as the server runs")
    case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "C"):
      self = .absent("cheaper decides how many workers serve")
    case UInt8(ascii: "B"), UInt8(ascii: "E"): self = .absent("there is no Emperor")
    case UInt8(ascii: "f"): self = .absent("`server ctl upgrade` starts a new master")
    case UInt8(ascii: "S"): self = .absent("there are no subscriptions")
    case UInt8(ascii: "0")...UInt8(ascii: "9"): self = .absent("all pipes are heeded at any time")
    default: return nil
    }
  }
}

/// The pipes of a master.
struct CommandPipes {
  /// Those that are open, by path.
  var open: [String: Int32] = [:]
  /// Paths without a pipe that were reported in the log.
  var lost: Set<String> = []
  /// Bytes that were not commands, since the last one was logged.
  var unknown = 0
}

extension Master {
  /// Makes and opens the configured pipes; false, with a log line, if one cannot be made.
  func openCommandPipes() -> Bool {
    for path in plan.settings.process.commandPipes where commandPipes.open[path] == nil {
      if let reason = openCommandPipe(path) {
        announceFailure(reason, code: 1)
        return false
      }
    }
    return true
  }

  /// Makes and opens one; returns the problem, for the operator.
  private func openCommandPipe(_ path: String) -> String? {
    do throws(SystemError) {
      let pipe = try System.commandPipe(path)
      do throws(SystemError) { try watch(pipe, .commands) } catch {
        System.close(pipe)
        throw error
      }
      commandPipes.open[path] = pipe
      return nil
    } catch {
      if error.code == EADDRINUSE {
        return "the pipe \(path) is another server's; choose another --master-fifo for this one"
      }
      return "the pipe \(path) cannot be made (\(System.guardedReason(error))); choose another "
        + "--master-fifo, in a directory of your own"
    }
  }

  /// Once a second: a pipe that was removed or moved away is made again, since nobody would find it.
  func lookForCommandPipes() {
    if commandPipes.unknown > 0 {
      let count = commandPipes.unknown
      MasterLog.warning("master-fifo: of what was written \(count) is no command; write ? for a list")
      commandPipes.unknown = 0
    }
    guard !hasHandedOver, !plan.follows || hasTakenOver else { return }
    for (path, pipe) in commandPipes.open where !System.isCommandPipe(pipe, at: path) {
      unwatch(pipe)
      commandPipes.open[path] = nil
      MasterLog.warning("\(path) was removed by somebody, and is made again")
    }
    for path in plan.settings.process.commandPipes where commandPipes.open[path] == nil {
      if let reason = openCommandPipe(path) {
        if commandPipes.lost.insert(path).inserted { MasterLog.warning(reason) }
      } else {
        commandPipes.lost.remove(path)
      }
    }
  }

  /// Closes them: they are no longer this master's; removes them if nobody else has them.
  func closeCommandPipes(isLast: Bool) {
    for (path, pipe) in commandPipes.open {
      if isLast { System.removeCommandPipe(path, pipe) }
      unwatch(pipe)
    }
    commandPipes.open = [:]
  }

  /// Reads what was written, a bounded amount at a time, since it may be anything.
  func takeCommands(_ pipe: Int32) {
    var seen = Set<UInt8>()
    for byte in System.bytes(of: pipe, atMost: 256) where ![0x0a, 0x0d, 0x20].contains(byte) {
      guard let command = PipeCommand(byte) else {
        commandPipes.unknown += 1
        continue
      }
      // The same command twice in one read counts once.
      if seen.insert(byte).inserted { heed(command, byte) }
    }
  }

  private func heed(_ command: PipeCommand, _ byte: UInt8) {
    let letter = String(decoding: [byte], as: UTF8.self)
    switch command {
    case .reload:
      if letter == "R" || letter == "W" {
        MasterLog.info("master-fifo: \(letter) reloads as r does: no request is cut")
      }
      inform(.asked(.reload(cause: "master-fifo"), by: nil, cause: .init(.fifo, letter)))
    case .stop: inform(.stopSignal)
    case .stopAtOnce:
      inform(.stop(code: 0))
      inform(.stop(code: 0))
    case .reopenLogs: _ = reopenLogs()
    case .status: if case .answer(let lines, _) = status() { lines.forEach(MasterLog.info) }
    case .help:
      MasterLog.info(
        "master-fifo: r, R, c, w, W reload; q stops, Q at once; l, L reopen logs; s shows the status")
    case .absent(let words): MasterLog.warning("master-fifo: \(letter) is nothing here: \(words)")
    }
  }
}
