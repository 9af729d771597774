import Config
import Control
import Glibc
import Posix

/// A running program of the operator's.
struct RunningProgram {
  /// Its purpose.
  enum Purpose: Equatable {
    /// By its place in the settings.
    case attached(Int)
    case timed(Int)
    case step
  }

  let purpose: Purpose
  let pid: Int32
  let processDescriptor: Int32
  /// To the process, until it has become the program; -1 for one that somebody else has started.
  let link: Int32
  let command: String
  /// Monotonic nanoseconds.
  let began = System.now()
  /// What is heard from it before it has become the program.
  var hearing = Hearing()
  /// It was told to end.
  var isStopping = false
  /// It was killed because it did not end.
  var isKilled = false

  /// It runs beside the server.
  var isAttached: Bool { if case .attached = purpose { true } else { false } }

}

/// Their lives: as configured at the start, and as long as the server belongs to this master.
extension Master {
  /// Starts the programs that run beside the server, once it serves.
  func startPrograms() {
    guard !hasPrograms, !programsWait, servesOn, !plan.follows || hasTakenOver else { return }
    hasPrograms = true
    for place in plan.settings.programs.attached.indices { attach(place) }
    for step in steps(.ready) { _ = start(step.command, .step, asUser: true) }
    if !plan.settings.programs.timed.isEmpty { setMinute() }
  }

  func steps(_ step: StepProgram.Step) -> [StepProgram] {
    plan.settings.programs.steps.filter { $0.step == step }
  }

  /// Starts a command in a session of its own; returns its number here, nil if no process could be started.
  func start(_ command: String, _ purpose: RunningProgram.Purpose, asUser: Bool) -> Int? {
    var orders = Orders(.run)
    (orders.arguments, orders.commandLine, orders.tries) = (plan.arguments, [command], asUser)
    let id = nextNumber()
    startKeeper()
    do throws(SystemError) {
      let input = try System.openNull()
      defer { System.close(input) }
      let child = try startChild(
        orders, [(input, STDIN_FILENO)], speaks: .programLink(id), ended: .programEnd(id), newSession: true)
      programs[id] = RunningProgram(
        purpose: purpose, pid: child.pid, processDescriptor: child.processDescriptor, link: child.link,
        command: command)
      tellKeeper()
      return id
    } catch {
      MasterLog.error("no process for `\(command)`: \(error)")
      return nil
    }
  }

  /// Starts a program that runs beside the server, or watches the one that is already running.
  func attach(_ place: Int) {
    guard hasPrograms, servesOn, place < plan.settings.programs.attached.count else { return }
    let wanted = plan.settings.programs.attached[place]
    if let file = wanted.pidFile, adopt(file, place, wanted.command) { return }
    if start(wanted.command, .attached(place), asUser: true) == nil { again(place, after: 0) }
  }

  /// Watches a process that is no child of this one, if it belongs to the programs' user.
  private func adopt(_ file: String, _ place: Int, _ command: String) -> Bool {
    let (pid, descriptor): (Int32, Int32)
    switch System.process(namedBy: file, of: plan.programUser) {
    case .nobody: return false
    case .process(let number, let held): (pid, descriptor) = (number, held)
    case .refused(let reason):
      MasterLog.error("what \(file) names is not taken for `\(command)`: \(reason)")
      return false
    }
    let id = nextNumber()
    do { try watch(descriptor, .programEnd(id)) } catch {
      System.close(descriptor)
      return false
    }
    programs[id] = RunningProgram(
      purpose: .attached(place), pid: pid, processDescriptor: descriptor, link: -1, command: command)
    return true
  }

  private func again(_ place: Int, after seconds: Double) {
    let pause = programPatience[place, default: Patience()].ended(after: seconds)
    alarms.set(.program(place: place), seconds: pause)
  }

  /// It says why it could not become the program.
  func programSpeaks(_ id: Int) {
    guard let program = programs[id], let message = hear(program.link, &programs[id]!.hearing) else { return }
    if message.verb == .failed { MasterLog.error("`\(program.command)`: \(message["reason"] ?? "")") }
  }

  /// A program has ended.
  func programEnded(_ id: Int) {
    guard let program = programs[id] else { return }
    let ending = program.link < 0 ? Ending.exited(0) : System.ending(of: program.pid)
    guard let ending else { return }
    forget(id, program)
    if hasHandedOver { return tellFollower(ofEndOf: program) }
    switch program.purpose {
    case .attached(let place): attachedEnded(place, program, ending)
    case .timed, .step:
      if ending != .exited(0) { MasterLog.warning("`\(program.command)` ended with \(ending.description)") }
    }
  }

  func forget(_ id: Int, _ program: RunningProgram) {
    programs[id] = nil
    tellKeeper()
    alarms.cancel(.programTime(id))
    if program.link >= 0 {
      unwatch(program.link)
    }
    unwatch(program.processDescriptor)
  }

  private func attachedEnded(_ place: Int, _ program: RunningProgram, _ ending: Ending) {
    guard servesOn else { return }
    let wanted = plan.settings.programs.attached[place]
    // A program that goes into the background leaves the shell that has started it.
    if wanted.isInBackground, program.link >= 0, ending == .exited(0), let file = wanted.pidFile,
      adopt(file, place, wanted.command)
    {
      return
    }
    if wanted.isVital {
      MasterLog.error("`\(program.command)` ended with \(ending.description), and the server with it")
      return inform(.stop(code: 0))
    }
    let seconds = Double(System.now() &- program.began) / 1e9
    MasterLog.warning("`\(program.command)` ended with \(ending.description); it is started again")
    again(place, after: seconds)
  }

  // MARK: Schedule

  /// Wakes at the next minute.
  private func setMinute() {
    alarms.set(.minute, seconds: Minutes.wait(at: System.seconds()))
  }

  /// A minute has begun.
  func minuteBegins() {
    guard servesOn else { return }
    setMinute()
    let due = minutes.due(plan.settings.programs.timed, at: System.minute(of: System.seconds()))
    if due.step < 1 {
      MasterLog.warning("the clock was set back by \(1 - due.step) minutes; programs go by its new time")
    } else if due.step > 1 {
      MasterLog.warning("\(due.step - 1) minutes were passed over; programs catch up on some of them")
    }
    for place in due.places {
      let timed = plan.settings.programs.timed[place]
      // A command that hangs would be started again each minute, until the machine is full.
      if programs.values.contains(where: { $0.purpose == .timed(place) })
        || foreignTimed.contains(timed.command)
      {
        if !timed.isUnique {
          MasterLog.warning("`\(timed.command)` is not started: it still runs since its last time")
        }
        continue
      }
      guard let id = start(timed.command, .timed(place), asUser: true) else { continue }
      if timed.seconds > 0 { alarms.set(.programTime(id), seconds: Double(timed.seconds)) }
    }
  }

  /// A program has used up its time.
  func programIsLate(_ id: Int) {
    guard let program = programs[id] else { return }
    MasterLog.warning("`\(program.command)` is killed: its time is over")
    tell(program, SIGKILL)
  }

  /// Sends a signal to its session if that is one of ours; otherwise to the process that was found, unless it
  /// belongs to another user by now.
  func tell(_ program: RunningProgram, _ signal: Int32) {
    guard program.link < 0 else { return System.signal(-program.pid, signal) }
    guard System.belongs(program.pid, program.processDescriptor, to: plan.programUser) else { return }
    System.signal(held: program.processDescriptor, signal)
  }
}
