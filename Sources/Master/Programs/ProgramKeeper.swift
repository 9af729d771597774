import Control
import Glibc

/// The process that ends the operator's programs when the master is gone and could not: after a SIGKILL to it
/// their descendants would still be running, and a second copy of each after the next start.
struct Keeper {
  let pid: Int32
  let processDescriptor: Int32
  let link: Int32
}

/// Its life: it starts with the first program and runs as their user.
extension Master {
  /// Starts it, if there is none.
  func startKeeper() {
    guard keeper == nil else { return }
    var orders = Orders(.keep)
    orders.arguments = plan.arguments
    do throws(SystemError) {
      // Signals sent to all of the server's processes are not meant for it.
      let child = try startChild(orders, [], speaks: .keeperLink, ended: .keeperEnd, newSession: true)
      keeper = Keeper(pid: child.pid, processDescriptor: child.processDescriptor, link: child.link)
    } catch {
      MasterLog.error("programs are not ended if the master is killed: no process for that: \(error)")
    }
  }

  /// Tells it which of them are running: the sessions that the master has made, and their end signals.
  func tellKeeper() {
    guard let keeper else { return }
    var fields: [Message.Field] = []
    for program in programs.values where program.link >= 0 {
      fields.append(.init("program", "\(program.pid) \(stopSignal(of: program))"))
    }
    try? System.sendPacket(keeper.link, Message(.keep, fields).bytes)
  }

  /// The signal that tells a program to end.
  func stopSignal(of program: RunningProgram) -> Int32 {
    guard case .attached(let place) = program.purpose else { return SIGTERM }
    return plan.settings.programs.attached[place].stopSignal
  }

  /// It says why it cannot start.
  func keeperSpeaks() {
    guard let keeper, let message = hear(keeper.link, &keeperHearing) else { return }
    guard message.verb == .failed else { return }
    MasterLog.error("programs are not ended if the master is killed: \(message["reason"] ?? "")")
  }

  /// It has ended; another is started while there is something to keep.
  func keeperEnded() {
    guard let keeper, System.ending(of: keeper.pid) != nil else { return }
    keeperSpeaks()
    self.keeper = nil
    unwatch(keeper.link)
    unwatch(keeper.processDescriptor)
    if servesOn, !programs.isEmpty { alarms.set(.keeper, seconds: Master.keeperPause) }
  }

  /// Seconds before another is started in place of one that has ended.
  private static let keeperPause = 1.0

  /// Starts another in place of one that has ended.
  func keepAgain() {
    guard servesOn, !programs.isEmpty else { return }
    startKeeper()
    tellKeeper()
  }
}
