import Config
import Control

/// What has happened.
enum Event {
  /// The first builds are being staged; they have this long, whatever becomes of the children that do it.
  case began(seconds: Double)
  /// The first builds are staged; `past`: what the previous master has left.
  case loaded(Release, past: Past)
  case asked(Change, by: Int?, cause: ChangeRecord.Cause? = nil)
  /// The children of a change are done, have died, or were given up.
  case staged(ticket: Int, StagingResult)
  /// The requests that workers remember were replayed, or could not be.
  case replayed(ticket: Int, ReplayResult)
  /// A worker accepts, and runs these generations, in the order of its release's applications.
  case ready(Int, generations: [Int])
  /// A worker no longer accepts.
  case deaf(Int)
  case ended(Int, WorkerEnding)
  /// A worker hangs: its loop does not turn, or a request is far beyond its time.
  case silent(Int, reason: String)
  /// A worker asks to be replaced, or has served long enough.
  case wantsOut(Int)
  /// A worker runs a generation of an application in place of the previous one.
  case swapped(Int, app: Int, generation: Int)
  /// A worker still runs what it ran, in place of this generation; `isFull`: too many generations are left
  /// over in its process.
  case keptOld(Int, app: Int, generation: Int, reason: String, isFull: Bool)
  /// What the workers show, once a second: the generations of their applications, as far as these are shown
  /// separately.
  case shown([Int: [Int]])
  /// A worker presents these certificates, or cannot.
  case presents(Int, certificates: Int)
  case declined(Int, certificates: Int, String)
  /// The answers of a release's workers speak against it; `mount`: against this application's build.
  case evidence(release: Int, String, mount: String? = nil)
  /// The new master of a change serves, or is gone.
  case heirReady(ticket: Int, pid: Int32)
  case heirFailed(ticket: Int, String)
  /// How busy the workers are, once a second.
  case looked(Cheaper.Look)
  /// The workers' figures while builds are compared.
  case measured([Int: WorkerFigures])
  case alarm(ReleaseAlarm)
  /// Somebody wants the server to stop, as gently as it is configured to.
  case stopSignal
  case stop(code: Int32)
}

/// An action to take.
enum Action {
  /// Start a worker, with the state of the worker that it follows.
  case spawn(worker: Int, seat: Int, Release, follows: Int?)
  /// Stop accepting, answer existing requests, leave.
  case retire(Int)
  /// The server stops: the same, after answering the backlog.
  case dismiss(Int)
  /// The same, now.
  case quit(Int)
  /// End its process; `reason` is given for it in the log, nil: none needed.
  case terminate(Int, reason: String?)
  /// End its process, which may say where it hangs.
  case abort(Int, reason: String)
  /// Read the configuration again.
  case configure(ticket: Int)
  /// Copy, inspect and try builds.
  case stage(ticket: Int)
  case abandonStaging(ticket: Int)
  /// Replay so many remembered requests of each application to copies of what serves and of what is to serve.
  case replay(ticket: Int, Release, fresh: [Build], requests: Int)
  case abandonReplay(ticket: Int)
  /// Read the files of certificates again, and try them.
  case readCertificates(ticket: Int)
  /// Hand a worker the serving certificates.
  case present(Int, certificates: Int)
  case swap(Int, app: Int, Build)
  case startHeir(ticket: Int, binary: String?)
  case killHeir(ticket: Int)
  /// The server will stop soon: tell load balancers.
  case announceStop
  /// The server stops: close the listening sockets.
  case closeSockets
  /// The sockets belong to the heir; this master only waits for its workers.
  case handOver(ticket: Int)
  case alarm(ReleaseAlarm, seconds: Double)
  case cancel(ReleaseAlarm)
  case tell(Int?, Reply)
  case log(Severity, String)
  /// Another number of workers serves from now on, with the reason.
  case resized(String, isMore: Bool)
  /// A change has ended: count it under this name.
  case count(String)
  /// A build is worse than the previous one in this figure: its change is refused, or it is taken back.
  case gateClosed(SwapGate.Figure)
  /// All seats serve for the first time.
  case announceReady
  /// The start has failed.
  case announceFailure(String, code: Int32)
  /// Copies of builds that nobody runs and nobody can ask for may be removed.
  case removeUnused
  /// The files to watch may have changed.
  case watchFiles

  enum Severity { case info, warning, error }
}

/// When to look again. Each is set by the event that begins the wait for it: nothing waits without one.
enum ReleaseAlarm: Hashable {
  /// The first builds should have been staged.
  case first
  /// A change should have been staged or handed over, or have reached its next seat.
  case change(Int)
  /// A worker should be ready.
  case start(worker: Int)
  /// A worker that was told to leave, or was killed, should have ended.
  case leave(worker: Int)
  /// The first new worker has served beside the others long enough.
  case soak(release: Int)
  /// A worker should have loaded a build in place.
  case swap(worker: Int)
  case probation(release: Int)
  /// A worker should present the certificates that it was handed.
  case present(worker: Int)
  /// The time of `--shutdown-delay` is up.
  case stop
  /// A seat may have a worker again, no longer needs a spare, or has a worker that has proven itself.
  case seat(Int)
}

/// How a worker's process ended, and what is known about it.
struct WorkerEnding {
  var ending: Ending
  /// What it said, or the crash line.
  var sentence: String
  /// The exit code that it announced.
  var code: Int32 = 22
  /// Requests that it had answered.
  var requests = 0
  /// The place of the application in whose request it crashed; nil: in none, or unknown.
  var app: Int?
  /// The system gave it a process: what it ran may be at fault.
  var hadProcess = true
}

/// A place whose first worker could not start.
struct StartFailure {
  let seat: Int
  let reason: String
  /// The exit code of a start that fails because of it.
  let code: Int32
}

/// The result of a change's children.
enum StagingResult {
  /// The configuration is read: its builds come next.
  case configured
  /// The release that the builds make, and its builds that do not serve yet. `obstacle`: why they cannot be
  /// loaded into the existing workers.
  case built(Release, fresh: [Build], obstacle: String?)
  /// These files can be presented.
  case certified([HandedFile])
  case failed(String)
}

/// A change, who waits for it, and a number that its children, alarms and messages carry.
struct Request {
  let ticket: Int
  let change: Change
  var askers: [Int]
  /// Who asked, for the record.
  var causes: [ChangeRecord.Cause] = []
  /// When it was first asked for, in monotonic nanoseconds.
  var asked: UInt64 = 0
  /// The same in seconds of the calendar.
  var at: Int64 = 0
}

/// A change whose children are at work.
struct Preparation {
  let request: Request
  /// The configuration was read again: workers are replaced, whatever the builds allow.
  var isReload = false
}

/// A release being rolled out to the workers.
struct Rolling {
  let request: Request
  var target: Release
  let previous: Release
  let fresh: [Build]
  /// Seats below it run the target, those above it the previous release; this one gets its new worker.
  var seat = 0
  /// The first new worker has served beside the old ones.
  var hasSoaked: Bool
  var isSoaking = false
}

/// A build being loaded into the existing workers.
struct InPlace {
  let request: Request
  let target: Release
  let build: Build
  /// The application's place in the configuration.
  let app: Int
  /// The worker that is loading it.
  var asked: Int?
  /// How often a worker was asked.
  var asks = 0
  /// Somebody has to be asked, or to stop accepting, and cannot be asked yet: an alarm bounds the wait.
  var isWaiting = false
  /// The first worker that has it serves beside the others, to be compared with them.
  var isSoaking = false
  /// It has done so.
  var hasSoaked = false

  /// So often each worker of the release may be asked, or those that follow it, which begin with the build
  /// before: if workers leave faster than they load, there is always another to ask.
  static let rounds = 4
}

/// A worker, as far as it is known.
struct Worker {
  enum Phase {
    case loading, serving, leaving

    var word: String {
      switch self {
      case .loading: "starting"
      case .serving: "serving"
      case .leaving: "retiring"
      }
    }
  }

  let seat: Int
  /// What it was started to run.
  let plan: Plan
  var phase = Phase.loading
  /// What it says it runs; nil until it is ready.
  var running: Plan?
  /// When it became ready, in monotonic nanoseconds.
  var since: UInt64 = 0
  /// It asked to be replaced.
  var wantsOut = false
  var isDeaf = false
  /// The build that it was told to put to work in place, until it has answered.
  var asked: Asked?
  /// The generations that it showed at the last look instead of those it runs; nil: none others.
  var disagreed: [Int]?
  /// The certificates that it presents, and those that it was last handed, as `Release.certificates`.
  var certificates = 0
  var offered = 0
  /// How often it was killed without ending.
  var kills = 0

  /// What it runs, and the options under which it does: an in-place swap changes both. Until it is ready,
  /// what it was started to run.
  var actual: Plan { running ?? plan }

  struct Asked: Equatable {
    let app: Int
    let generation: Int
  }

  /// A process that does not end after this many, a second apart, is held by the kernel.
  static let mostKills = 5
}

/// What a worker runs, as far as workers may differ in it.
struct Plan: Equatable {
  /// Which options it was started with.
  let configuration: Int
  /// In the order of the release's applications.
  var generations: [Int]
}

extension Release {
  var plan: Plan { Plan(configuration: configuration, generations: builds.map(\.generation)) }
  func runs(_ worker: Worker) -> Bool { worker.running == plan }

  /// A worker that is started later runs the same code.
  var isKept: Bool { builds.allSatisfy(\.isKept) }

  /// The builds that another release does not have.
  func builds(notIn other: Release) -> [Build] {
    builds.filter { build in !other.builds.contains(where: build.isSame) }
  }
}

extension Rolling {
  /// Whether a crash is evidence against what is rolled out: one in an unchanged application is not.
  func isBlamed(for culprit: Build?) -> Bool {
    guard let culprit else { return true }
    if target.builds(notIn: previous).contains(where: culprit.isSame) { return true }
    if case .reload = request.change { return target.configuration != previous.configuration }
    return false
  }
}

extension Build {
  func isSame(_ other: Build) -> Bool { mount == other.mount && generation == other.generation }
}
