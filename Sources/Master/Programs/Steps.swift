import Config
import Control
import Glibc
import Posix

/// The commands at the server's steps: before it starts, and when it has ended.
extension Master {
  /// Runs the commands of a step one after the other, each to its end.
  ///
  /// - Parameters:
  ///   - signals: the descriptor through which a stop may come meanwhile.
  ///   - seconds: the time for all of them together; nil: no limit.
  /// - Returns: nil when all have succeeded; otherwise, with a log line, the exit code of the server.
  func runSteps(_ step: StepProgram.Step, signals: Int32, seconds: Double? = nil) -> Int32? {
    let end = seconds.map { System.now() &+ UInt64($0 * 1e9) } ?? .max
    for wanted in steps(step) {
      guard let id = start(wanted.command, .step, asUser: step != .beforeAll), let program = programs[id]
      else { return 1 }
      guard let ending = waitForEnd(of: program, signals, until: end) else {
        MasterLog.announce("stopped while `\(wanted.command)` ran")
        endSession(of: program)
        forget(id, program)
        return 0
      }
      programSpeaks(id)
      forget(id, program)
      if ending == .exited(0) { continue }
      announceFailure("`\(wanted.command)` ended with \(ending.description)", code: 1)
      return 1
    }
    return nil
  }

  /// Runs those of the end. The server does not wait for ever, and not at all if it is stopped again.
  func runLastSteps(_ signals: Int32) {
    let settings = releases.current?.settings ?? plan.settings
    _ = runSteps(.end, signals: signals, seconds: max(settings.limits.gracefulSeconds, Limits.lastSeconds))
  }

  /// How it ends; nil when the server is to stop before, or the time is up.
  private func waitForEnd(of program: RunningProgram, _ signals: Int32, until end: UInt64) -> Ending? {
    while true {
      if let ending = System.ending(of: program.pid) { return ending }
      if Master.isStopSignal(System.nextSignal(signals)) || System.now() > end { return nil }
      System.pause(milliseconds: 5)
    }
  }

  /// Tells a program to end, and kills what is left of its session a moment later.
  private func endSession(of program: RunningProgram) {
    tell(program, SIGTERM)
    for _ in 0..<Master.mercyLooks {
      if System.ending(of: program.pid) != nil { break }
      System.pause(milliseconds: 10)
    }
    tell(program, SIGKILL)
  }

  private static func isStopSignal(_ signal: Int32?) -> Bool {
    signal.map { [SIGTERM, SIGINT, SIGQUIT].contains($0) } ?? false
  }

  /// How often a step that was told to end is checked, ten milliseconds apart.
  private static let mercyLooks = 100

  // MARK: The end

  /// Tells programs to end: the server ends, or belongs to another master. Does not tell those again that
  /// were told already.
  func stopPrograms(attachedOnly: Bool = false) {
    for (id, program) in programs where !program.isStopping && (program.isAttached || !attachedOnly) {
      var signal = SIGTERM
      if case .attached(let place) = program.purpose {
        signal = plan.settings.programs.attached[place].stopSignal
      }
      programs[id]!.isStopping = true
      tell(program, signal)
    }
    hasPrograms = false
    if programs.values.contains(where: \.isStopping) {
      alarms.set(.programsEnd, seconds: Limits.lastSeconds)
    }
  }

  /// Waits for those that were told to end, and kills those that do not, at once if somebody is impatient.
  func endPrograms(_ signals: Int32) {
    stopPrograms()
    for _ in 0..<Master.programLooks {
      for (id, program) in programs {
        let isGone =
          program.link < 0
          ? System.haveInput([program.processDescriptor]) : System.ending(of: program.pid) != nil
        if isGone { forget(id, program) }
      }
      if programs.isEmpty || Master.isStopSignal(System.nextSignal(signals)) { break }
      System.pause(milliseconds: 10)
    }
    for program in programs.values {
      MasterLog.warning("`\(program.command)` is killed: it has not stopped")
      tell(program, SIGKILL)
    }
  }

  /// How often ending programs are checked, ten milliseconds apart.
  private static let programLooks = 500
}
