import Control
import Glibc

/// Programs at a hand-over. Those that run beside the server end before the next master starts its own: both
/// would want the same port, or file. Scheduled commands and those of a step run to their end, since nobody
/// would start them again; this master stays for them, as their parent.
extension Master {
  private static let (field, timedField, timedEndField) = ("programs", "timed", "timed-end")
  private enum Word { static let (wait, ended) = ("wait", "ended") }

  /// What the next master is told about them with the hand-over.
  var programFields: [Message.Field] {
    var fields: [Message.Field] = []
    if programs.values.contains(where: \.isAttached) { fields.append(.init(Master.field, Word.wait)) }
    for program in programs.values {
      if case .timed = program.purpose { fields.append(.init(Master.timedField, program.command)) }
    }
    return fields
  }

  /// A program of this master has ended after the server was handed over.
  func tellFollower(ofEndOf program: RunningProgram) {
    var fields: [Message.Field] = []
    if program.isAttached, !programs.values.contains(where: \.isAttached) {
      fields.append(.init(Master.field, Word.ended))
    }
    if case .timed = program.purpose { fields.append(.init(Master.timedEndField, program.command)) }
    guard !fields.isEmpty else { return }
    for heir in heirs.values { try? System.sendPacket(heir.link, Message(.retiring, fields).bytes) }
  }

  /// Those that were told to end have had their time: kills them. Nobody waits for processes that the kernel
  /// holds even then.
  func programsAreLate() {
    for (id, program) in programs where program.isStopping {
      if program.isKilled {
        forget(id, program)
        if hasHandedOver { tellFollower(ofEndOf: program) }
      } else {
        MasterLog.warning("`\(program.command)` is killed: it has not stopped")
        programs[id]!.isKilled = true
        tell(program, SIGKILL)
      }
    }
    if programs.values.contains(where: \.isStopping) { alarms.set(.programsEnd, seconds: 1) }
  }

  /// Handles what the previous master says about its programs; nil: it is gone.
  func heedPrograms(_ message: Message?) {
    guard let message else {
      (programsWait, foreignTimed) = (false, [])
      return
    }
    if let word = message[Master.field] { programsWait = word == Word.wait }
    foreignTimed += message.all(Master.timedField)
    for command in message.all(Master.timedEndField) {
      if let place = foreignTimed.firstIndex(of: command) { foreignTimed.remove(at: place) }
    }
  }
}
