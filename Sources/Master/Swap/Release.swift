import Config
import Control

/// One build of an application, staged: its private copy and what it says about itself.
struct Build {
  /// Where the application is mounted, as in the settings.
  let mount: String
  /// The operator's file, or the one that a runtime's app is made from.
  let source: String
  /// Counts the builds of this application from 1.
  let generation: Int
  /// The private copy: its number, and its path for those who load it.
  let copy: Int
  let path: String
  /// The GNU build-id, or a hash of what a runtime made it from; empty without.
  let buildID: String
  /// The application's own name and version, once a worker or the trial has loaded it.
  var name: String
  var version = ""
  /// It promises to be unloadable, and nothing in the file contradicts that.
  var isUnloadable = false
  /// A worker that is started later runs the same code: it is in the private copy.
  var isKept = true
  /// The file at the operator's path just before it was copied.
  var original: FileIdentity?
  /// The libraries that it has loaded beside its own file, as reported by the last process that loaded it.
  var libraries = LibraryReport()
  /// The most calls of it that a worker makes at once.
  var calls = 1
  /// Seconds of the calendar.
  let staged: Int64
  var status = Status.staged

  /// How far the build has come.
  enum Status: Equatable {
    case staged
    case serving
    /// Served before, and can be brought back.
    case retired
    /// Taken back because it crashed or failed.
    case withdrawn(reason: String)

    /// Nobody can ask for it again.
    var isWithdrawn: Bool { if case .withdrawn = self { true } else { false } }

    var word: String {
      switch self {
      case .staged: "staged"
      case .serving: "serving"
      case .retired: "retired"
      case .withdrawn: "withdrawn"
      }
    }
  }

  /// "hello generation 7".
  var title: String { "\(name) generation \(generation)" }
}

/// What all workers should run: a configuration and one build for each of its applications. A swap, a reload
/// and a rollback each make a new one from the previous one.
struct Release {
  /// Counts the releases of this server from 1.
  let number: Int
  /// Counts the sets of options: two releases with the same number differ only in builds.
  var configuration = 0
  /// The options in effect, as a worker reads them.
  let arguments: [String]
  let settings: Settings
  /// In the order of `settings.apps`.
  var builds: [Build]
  /// Files that its workers may not read themselves.
  var files: [HandedFile] = []
  /// Counts the contents of `files`: workers of two releases with the same number present the same
  /// certificates.
  var certificates = 0

  /// Worker processes.
  var workers: Int { settings.process.workers ?? System.processors }
}

/// The builds of each application that were put to work, oldest first; by mount point.
struct History {
  private(set) var builds: [String: [Build]] = [:]
  private var counters: [String: Int] = [:]
  /// Builds of one application that can be brought back, the serving one included.
  static let kept = 3
  /// Withdrawn ones that are remembered in addition, with just a line each.
  static let notes = 5

  /// The number of the next build.
  mutating func nextGeneration(_ mount: String) -> Int {
    counters[mount] = count(mount) + 1
    return counters[mount]!
  }

  /// Notes that the number was given, whoever gave it.
  mutating func count(_ mount: String, upTo generation: Int) {
    counters[mount] = max(count(mount), generation)
  }

  /// The last number given.
  func count(_ mount: String) -> Int { counters[mount] ?? 0 }

  /// Adopts what a previous master has kept, and its count.
  mutating func adopt(_ kept: [Build], _ counts: [Bequest.Place]) {
    builds = Dictionary(grouping: kept, by: \.mount)
    for build in kept { count(build.mount, upTo: build.generation) }
    for place in counts { count(place.mount, upTo: place.generation) }
  }

  /// A build was not put to work: frees its number, unless later ones were given.
  mutating func giveBack(_ mount: String, _ generation: Int) {
    if counters[mount] == generation { counters[mount]! -= 1 }
  }

  /// A build serves from now on; the previous one has retired. Returns copies that nobody can ask for again.
  mutating func commit(_ build: Build) -> [Build] {
    var list = builds[build.mount] ?? []
    for index in list.indices where list[index].status == .serving { list[index].status = .retired }
    list.removeAll { $0.generation == build.generation }
    var build = build
    build.status = .serving
    list.append(build)
    let good = list.filter { !$0.status.isWithdrawn }.suffix(History.kept)
    let notes = list.filter { $0.status.isWithdrawn }.suffix(History.notes)
    builds[build.mount] = list.filter { build in (good + notes).contains(where: build.isSame) }
    return list.filter { build in !(good + notes).contains(where: build.isSame) }
  }

  /// A build has failed and shall not be brought back.
  mutating func withdraw(_ build: Build, _ reason: String) {
    guard let index = builds[build.mount]?.firstIndex(where: { $0.generation == build.generation }) else {
      return
    }
    builds[build.mount]![index].status = .withdrawn(reason: reason)
  }

  /// Takes what the application says about itself, once a worker has loaded it.
  mutating func name(
    _ mount: String, _ generation: Int, _ name: String, _ version: String, _ isUnloadable: Bool
  ) {
    guard let index = builds[mount]?.firstIndex(where: { $0.generation == generation }) else { return }
    builds[mount]![index].name = name
    builds[mount]![index].version = version
    builds[mount]![index].isUnloadable = isUnloadable
  }

  /// Notes the libraries that a worker has last loaded for it.
  mutating func adopt(_ mount: String, _ generation: Int, _ libraries: LibraryReport) {
    guard let index = builds[mount]?.firstIndex(where: { $0.generation == generation }) else { return }
    builds[mount]![index].libraries = libraries
  }

  /// The build to bring back: the youngest retired one.
  func previous(_ mount: String) -> Build? { builds[mount]?.last { $0.status == .retired } }
}
