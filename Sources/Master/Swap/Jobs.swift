import Config
import Control
import Glibc

/// A child that does what could block the master: it stages builds, or reads the configuration.
final class Job {
  /// A staged build, as the child reports it: the master acts on nothing in it but yes and no.
  struct Staged {
    var isSame: Bool
    var buildID: String
    /// The copy has the modules from which a runtime makes the app.
    var isKept = false
    var name = ""
    var version = ""
    var isUnloadable = false
    var libraries = LibraryReport()
    /// load() and probe() have succeeded.
    var hasPassed = false
  }

  /// Its result.
  enum Outcome {
    case staged([Int: Staged])
    case configured([String], files: [HandedFile])
    /// By application.
    case replayed([Int: ReplayReport])
    /// Requests cannot be replayed, for a reason that says nothing about a build.
    case unreplayed(String)
    /// One sentence, and the exit code if the start fails because of it.
    case failed(reason: String, code: Int32)
  }

  /// How many messages of an ended child are read at most.
  static let lastTurns = 64

  let id: Int
  let pid: Int32
  let processDescriptor: Int32
  let link: Int32
  let orders: Orders
  /// The copies that it fills, by application.
  let copies: [Int: Copies.Copy]
  let seconds: Double
  /// The change that it works for; 0: for the start.
  let ticket: Int
  let then: (Outcome) -> Void
  var staged: [Int: Staged] = [:]
  var options: [String]?
  /// What came of a replay, by application; or why there was none.
  var (replayed, unreplayed): ([Int: ReplayReport], String?) = ([:], nil)
  /// The certificates in its orders can be used.
  var hasCertified = false
  /// The files that it has read for workers.
  var files: [HandedFile] = []
  /// Bytes of its options.
  var optionBytes = 0
  /// Counts its messages.
  var hearing = Hearing()
  /// Its last step, in case it dies of it.
  var step = "start"
  var failure: (reason: String, code: Int32)?
  /// Its messages are no longer read.
  var isSilenced = false

  init(
    id: Int, _ child: (pid: Int32, processDescriptor: Int32, link: Int32), _ orders: Orders,
    _ copies: [Int: Copies.Copy], ticket: Int, seconds: Double, then: @escaping (Outcome) -> Void
  ) {
    (self.id, pid, processDescriptor, link) = (id, child.pid, child.processDescriptor, child.link)
    (self.orders, self.copies, self.ticket) = (orders, copies, ticket)
    (self.seconds, self.then) = (seconds, then)
  }
}

/// Children that work for the master.
extension Master {
  /// Starts a child with orders; calls `then` once, with the result.
  ///
  /// - Parameter handing: further descriptors that the orders name, and their numbers there.
  func run(
    _ orders: Orders, filling copies: [Int: Copies.Copy] = [:], handing: [(Int32, Int32)] = [],
    ticket: Int, seconds: Double, then: @escaping (Job.Outcome) -> Void
  ) {
    let files = orders.builds.flatMap { zip(copies[$0.app]?.files ?? [], $0.outputs) }
    defer { for file in files { System.close(file.0) } }
    do {
      let id = nextNumber()
      let child = try startChild(orders, files + handing, speaks: .jobLink(id), ended: .jobEnd(id))
      let job = Job(id: id, child, orders, copies, ticket: ticket, seconds: seconds, then: then)
      jobs[id] = job
      alarms.set(.stageTimeout(job: job.id), seconds: seconds)
    } catch {
      for copy in copies.values { self.copies.remove(copy.number) }
      then(.failed(reason: "no process for it: \(error)", code: 1))
    }
  }

  /// Reads a child's messages.
  func jobSpeaks(_ id: Int) {
    for _ in 0..<Limits.messagesPerTurn {
      guard let job = jobs[id], !job.isSilenced else { return }
      do throws(SystemError) {
        let bytes = try System.receivePacket(job.link)
        guard !bytes.isEmpty else {
          System.unwatch(epoll, job.link)
          return
        }
        guard job.hearing.admits(at: System.now()) else { return silence(job) }
        // A senseless message comes from the build; the trial ends with the child's own result.
        if let report = JobReport(bytes, apps: job.orders.builds.map(\.app)) { heed(job, report) }
      } catch {
        if error.code == EMSGSIZE {
          guard job.hearing.admits(at: System.now()) else { return silence(job) }
          continue
        }
        if !error.isMomentary { System.unwatch(epoll, job.link) }
        return
      }
    }
  }

  /// It floods the master: nothing more is read from it, and it has no result.
  private func silence(_ job: Job) {
    fail(
      job,
      "it said more than \(Limits.messagesPerSecond) things within a second; something in it writes to "
        + "descriptor \(HandedDescriptor.control)")
  }

  private func fail(_ job: Job, _ reason: String) {
    System.unwatch(epoll, job.link)
    (job.failure, job.isSilenced) = ((reason, job.orders.role == .stage ? 22 : 1), true)
    System.signal(job.pid, SIGKILL)
  }

  /// Takes options from a child that reads the configuration. No other child may send them, and the amount
  /// kept is bounded.
  private func take(_ options: [String], _ files: [HandedFile], from job: Job) {
    guard [.configure, .certificates].contains(job.orders.role) else { return }
    guard job.files.bytes + files.bytes <= HandedFile.mostBytes else {
      return fail(
        job, "certificates and keys come to more than \(HandedFile.mostBytes >> 20) MiB; shorten them")
    }
    job.files.take(files)
    job.optionBytes += options.reduce(0) { $0 + $1.utf8.count }
    let count = (job.options?.count ?? 0) + options.count
    guard job.optionBytes <= Limits.configurationBytes, count <= 2 * Limits.configurationKeys else {
      job.options = []
      let most = Limits.configurationBytes >> 20
      return fail(job, "the configuration comes to more than \(most) MiB; shorten it")
    }
    if job.options == nil { job.options = [] }
    job.options! += options
  }

  private func heed(_ job: Job, _ report: JobReport) {
    switch report {
    case .step(let step): job.step = step
    case .copied(let app, let isSame, let isKept, let buildID):
      job.staged[app] = Job.Staged(isSame: isSame, buildID: buildID, isKept: isKept)
    case .loaded(let app, let libraries): job.staged[app]?.libraries = libraries
    case .passed(let app, let name, let version, let isUnloadable):
      job.staged[app]?.name = name
      job.staged[app]?.version = version
      job.staged[app]?.isUnloadable = isUnloadable
      job.staged[app]?.hasPassed = true
    case .certified: job.hasCertified = true
    case .replayed(let app, let report): if job.orders.role == .replay { job.replayed[app] = report }
    case .unreplayed(let reason): if job.orders.role == .replay { job.unreplayed = reason }
    case .configured(let options, let files): take(options, files, from: job)
    case .failed(let reason, let code): job.failure = (reason, code)
    }
  }

  /// A child's process is gone.
  func jobEnded(_ id: Int) {
    guard let job = jobs[id] else { return }
    // Reads everything that its socket holds: options of a configuration take many packets.
    for _ in 0..<Job.lastTurns where System.haveInput([job.link]) { jobSpeaks(id) }
    guard let ending = System.ending(of: job.pid) else { return }
    jobs[id] = nil
    alarms.cancel(.stageTimeout(job: id))
    unwatch(job.link)
    unwatch(job.processDescriptor)
    let outcome = outcome(of: job, ending)
    for copy in job.copies.values {
      if case .failed = outcome { copies.remove(copy.number) } else { copies.hold(copy.number) }
    }
    job.then(outcome)
  }

  private func outcome(of job: Job, _ ending: Ending) -> Job.Outcome {
    if let failure = job.failure { return .failed(reason: failure.reason, code: failure.code) }
    if let options = job.options { return .configured(options, files: job.files) }
    if job.orders.role == .replay {
      if let reason = job.unreplayed { return .unreplayed(reason) }
      guard !job.replayed.isEmpty, job.orders.builds.allSatisfy({ job.replayed[$0.app] != nil }) else {
        return .failed(
          reason: "the replay ended with \(ending.description) before it had compared anything", code: 1)
      }
      return .replayed(job.replayed)
    }
    let isWhole = job.orders.builds.allSatisfy { build in
      job.staged[build.app].map { $0.hasPassed || !job.orders.tries } ?? false
    }
    if isWhole, !job.orders.builds.isEmpty || job.hasCertified { return .staged(job.staged) }
    let place =
      switch job.step {
      case "load": "its constructors, nsgi_entry, load() or probe()"
      case "copy": "the copy"
      default: "the start of the trial"
      }
    return .failed(reason: "the trial died of \(ending.description) in \(place)", code: 22)
  }

  func jobTimedOut(_ id: Int) {
    guard let job = jobs[id] else { return }
    let what = job.orders.role == .replay ? "the replay" : "the trial"
    job.failure = ("\(what) did not end within \(job.seconds) s in \(job.step) (--swap-timeout)", 22)
    System.signal(job.pid, SIGKILL)
  }

  // MARK: Builds

  /// Stages applications of a configuration, each in a copy of its own; `served`: copies of another master
  /// to begin from, with their numbers there. `keys`: where the key is that they are signed with, if it is
  /// not among the files.
  func stage(
    _ arguments: [String], _ settings: Settings, _ files: [HandedFile], keys: [HandedFile]? = nil,
    apps: [Int], of served: [Orders.Build] = [], tries: Bool, ticket: Int,
    then: @escaping (Job.Outcome, CopiedBuilds) -> Void
  ) {
    var orders = Orders(.stage)
    (orders.arguments, orders.tries, orders.files) = (arguments, tries, files)
    if let path = settings.supervision.appKey {
      // With each build, whether the certificates beside it are to be tried or not.
      orders.files.removeAll { $0.path == path }
      let known = (keys ?? files) + (releases.current?.files ?? []) + plan.files
      orders.key = known.first { $0.path == path }
    }
    // Other options may mean other names.
    if let current = releases.current, settings.saysTheSameOfTLS(as: current.settings) {
      orders.served = current.files
    }
    orders.workers = settings.process.workers ?? System.processors
    var copied = CopiedBuilds()
    var next = HandedDescriptor.first
    do throws(SystemError) {
      try mend(releases.current?.builds ?? [])
      for app in apps {
        let wanted = settings.apps[app]
        var names = wanted.copyNames
        if settings.supervision.appKey != nil { names.append(AppSettings.signatureName) }
        let copy = try copies.make(nextNumber(), names)
        copied.copies[app] = copy
        copied.originals[app] = System.identity(of: settings.location(of: wanted))
        let before = served.first { $0.app == app }
        let generation = before?.generation ?? releases.history.nextGeneration(wanted.mount)
        copied.generations[app] = generation
        var build = Orders.Build(
          app: app, generation: generation, path: copy.path,
          current: releases.current?.builds.first { $0.mount == wanted.mount }?.path ?? "")
        build.source = before?.source ?? ""
        build.outputs = copy.files.indices.map { next + Int32($0) }
        next += Int32(copy.files.count)
        orders.builds.append(build)
      }
    } catch {
      for copy in copied.copies.values {
        for file in copy.files { System.close(file) }
        copies.remove(copy.number)
      }
      return then(.failed(reason: "no place for private copies of builds: \(error)", code: 1), copied)
    }
    run(orders, filling: copied.copies, ticket: ticket, seconds: settings.supervision.startSeconds) {
      then($0, copied)
    }
  }

  /// A build as the staging child left it.
  func build(_ app: Int, _ settings: Settings, _ copied: CopiedBuilds, _ staged: Job.Staged) -> Build {
    let wanted = settings.apps[app]
    let file = Paths.name(of: wanted.path)
    let name = staged.name.isEmpty ? (file.hasSuffix(".so") ? String(file.dropLast(3)) : file) : staged.name
    let copy = copied.copies[app]!
    return Build(
      mount: wanted.mount, source: wanted.path, generation: copied.generations[app]!, copy: copy.number,
      path: copy.path, buildID: staged.buildID, name: name, version: staged.version,
      isUnloadable: staged.isUnloadable, isKept: wanted.isKeptWhole || staged.isKept,
      original: copied.originals[app], libraries: staged.libraries, staged: System.seconds())
  }

  /// The first builds: copied and inspected; whether they load is shown by the first workers.
  func stageFirst() {
    let settings = plan.settings
    // One child stages them, and one child each the kept ones.
    let children = Double(1 + plan.bequest.kept.count)
    inform(.began(seconds: children * settings.supervision.startSeconds + 5))
    stage(
      plan.arguments, settings, plan.filesServe ? [] : plan.files, apps: Array(settings.apps.indices),
      of: plan.builds, tries: false,
      ticket: 0
    ) { [unowned self] outcome, copied in
      guard case .starting = releases.state else { return }
      switch outcome {
      case .staged(let staged):
        let builds = settings.apps.indices.map { build($0, settings, copied, staged[$0]!) }
        stageKept(plan.bequest.kept[...]) { [unowned self] in begin(builds, keeping: $0) }
      case .failed(let reason, let code):
        announceFailure(reason, code: code)
        inform(.stop(code: code))
      case .configured, .replayed, .unreplayed: inform(.stop(code: 1))
      }
    }
  }

  /// The first builds are staged, and those that a previous master keeps.
  private func begin(_ builds: [Build], keeping kept: [Build]) {
    let past = Past(
      builds: kept, counters: plan.bequest.counters, trial: plan.bequest.trial,
      workers: plan.bequest.workers, changes: plan.bequest.changes)
    for usual in plan.bequest.trial?.usual ?? [] {
      (usualFailures[usual.mount], usualLongest[usual.mount]) = (usual.failures, usual.longest)
    }
    inform(.loaded(releases.release(plan.arguments, plan.settings, builds, plan.files), past: past))
  }
}

/// A staging child's task: the copies it fills, and the generations that they become, by application.
struct CopiedBuilds {
  var copies: [Int: Copies.Copy] = [:]
  var generations: [Int: Int] = [:]
  /// The files at the paths of the originals just before the copy.
  var originals: [Int: FileIdentity] = [:]
}
