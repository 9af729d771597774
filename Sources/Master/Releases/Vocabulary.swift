import Config
import Control

/// What has happened.
enum Event {
  /// The first builds are staged; `past`: what the master before this one has left.
  case loaded(Release, past: Past)
  case asked(Change, by: Int?)
  /// The children of a change are done, or have died, or were given up.
  case staged(ticket: Int, StagingResult)
  /// A worker accepts, and runs these generations, in the order of its release's applications.
  case ready(Int, generations: [Int])
  /// A worker accepts no more.
  case deaf(Int)
  case ended(Int, WorkerEnding)
  /// A worker hangs: its loop does not turn, or a request is far beyond its time.
  case silent(Int, reason: String)
  /// A worker asks to be replaced, or has served long enough.
  case wantsOut(Int)
  /// A worker runs a generation of an application in place of the one before.
  case swapped(Int, app: Int, generation: Int)
  /// A worker still runs what it ran; `isFull`: too many generations are left over in its process.
  case keptOld(Int, reason: String, isFull: Bool)
  /// The answers of a release's workers speak against it; `mount`: against this application's build.
  case evidence(release: Int, String, mount: String? = nil)
  /// The new master of a change serves, or is gone.
  case heirReady(ticket: Int, pid: Int32)
  case heirFailed(ticket: Int, String)
  /// How busy the workers are, once a second.
  case looked(Cheaper.Look)
  case alarm(ReleaseAlarm)
  /// Somebody wants the server to stop, as softly as it is set up to.
  case stopSignal
  case stop(code: Int32)
}

/// What is to be done about it.
enum Action {
  /// Start a worker, with the state of the worker that it follows.
  case spawn(worker: Int, seat: Int, Release, follows: Int?)
  /// Accept no more, answer what is there, leave.
  case retire(Int)
  /// The server stops: the same, and the backlog.
  case dismiss(Int)
  /// The same, now.
  case quit(Int)
  /// End its process; `reason` is what is said of it, nil: nobody asks.
  case terminate(Int, reason: String?)
  /// End its process, which may say where it hangs.
  case abort(Int, reason: String)
  /// Read the configuration again.
  case configure(ticket: Int)
  /// Copy, inspect and try builds.
  case stage(ticket: Int)
  case abandonStaging(ticket: Int)
  case swap(Int, app: Int, Build)
  case startHeir(ticket: Int, binary: String?)
  case killHeir(ticket: Int)
  /// The server is to stop soon: load balancers are told.
  case announceStop
  /// The server stops: nobody connects any more.
  case closeSockets
  /// The sockets are the heir's; this master only waits for its workers.
  case handOver(ticket: Int)
  case alarm(ReleaseAlarm, seconds: Double)
  case cancel(ReleaseAlarm)
  case tell(Int?, Reply)
  case log(Severity, String)
  /// Another number of workers serves from now on, and why.
  case resized(String, isMore: Bool)
  /// A change has ended so: counted under this name.
  case count(String)
  /// All seats serve for the first time.
  case announceReady
  /// The start has failed.
  case announceFailure(String, code: Int32)
  /// Copies of builds that nobody runs and nobody can ask for may go.
  case removeUnused
  /// The files to watch may be others.
  case watchFiles

  enum Severity { case info, warning, error }
}

/// When to look again. Each is set by the event that begins the wait for it: nothing waits without one.
enum ReleaseAlarm: Hashable {
  /// A change should have been staged, or handed over.
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
  /// The time of `--shutdown-delay` is over.
  case stop
  /// A seat may have a worker again, needs no spare any more, or has one that has proven itself.
  case seat(Int)
}

/// How a worker's process ended, and what is known of it.
struct WorkerEnding {
  var ending: Ending
  /// What it said, or the crash line.
  var sentence: String
  /// The exit code that it announced.
  var code: Int32 = 22
  /// Requests that it had answered.
  var requests = 0
  /// The place of the application in whose request it crashed; nil: in none, or nobody knows.
  var app: Int?
}

/// A place whose first worker could not start.
struct StartFailure {
  let seat: Int
  let reason: String
  /// The exit code of a start that fails by it.
  let code: Int32
}

/// What the children of a change have brought.
enum StagingResult {
  /// The configuration is read: its builds come next.
  case configured
  /// The release that the builds make, and those of it that do not serve yet. `obstacle`: why they cannot go
  /// into the workers that are there.
  case built(Release, fresh: [Build], obstacle: String?)
  case failed(String)
}

/// A change, who waits for it, and a number that its children, alarms and messages carry.
struct Request {
  let ticket: Int
  let change: Change
  var askers: [Int]
}

/// A change whose children are at work.
struct Preparation {
  let request: Request
  /// The configuration was read again: workers are replaced whatever the builds allow.
  var isReload = false
}

/// A release on its way to the workers.
struct Rolling {
  let request: Request
  var target: Release
  let previous: Release
  let fresh: [Build]
  /// Seats below run the target, those above the previous release; this one gets its new worker.
  var seat = 0
  /// The first new worker has served beside the old ones.
  var hasSoaked: Bool
  var isSoaking = false
}

/// A build on its way into the workers that are there.
struct InPlace {
  let request: Request
  let target: Release
  let build: Build
  /// The application's place in the configuration.
  let app: Int
  /// The worker that is loading it.
  var asked: Int?
}

/// A worker, as far as it has shown itself.
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
  /// Monotonic nanoseconds: ready.
  var since: UInt64 = 0
  /// It asked to be replaced.
  var wantsOut = false
  var isDeaf = false
  /// What it was told to put to work in place, and has not answered.
  var asked: Asked?
  /// How often it was killed and has not ended.
  var kills = 0

  struct Asked: Equatable {
    let app: Int
    let generation: Int
  }

  /// One that does not end after so many, a second apart, is held by the kernel.
  static let mostKills = 5
}

/// What a worker runs, as far as another worker could differ.
struct Plan: Equatable {
  /// Which options it was started with.
  let configuration: Int
  /// In the order of the release's applications.
  var generations: [Int]
}

extension Release {
  var plan: Plan { Plan(configuration: configuration, generations: builds.map(\.generation)) }
  func runs(_ worker: Worker) -> Bool { worker.running == plan }

  /// A worker that is started later runs the same.
  var isKeptWhole: Bool { settings.apps.allSatisfy(\.isKeptWhole) }

  /// The builds that another release has not.
  func builds(notIn other: Release) -> [Build] {
    builds.filter { build in !other.builds.contains(where: build.isSame) }
  }
}

extension Rolling {
  /// Whether a crash is evidence against what is rolled out: not one in an application that is as it was.
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
