import Config
import Control
import Posix

/// State that one generation wrote for the next: a file in memory, and who wrote it.
struct SavedState {
  let descriptor: Int32
  /// The version of the application that wrote it; empty if it has none.
  let version: String
}

/// A worker that writes the state of its applications, and what happens once it has.
struct Saving {
  /// Applications that have not answered.
  var open: Set<Int>
  var files: [Int: SavedState]
  let then: ([Int: SavedState]) -> Void
}

/// The state of applications, carried from a worker to its successor.
extension Master {
  private static let patience = 2.0

  /// Asks a worker to write the state of its applications, and goes on with what it wrote. A worker that
  /// does not answer in time gets a successor without its state.
  func saveStates(of worker: WorkerHandle?, then: @escaping ([Int: SavedState]) -> Void) {
    guard let worker, phase(of: worker) == .serving, worker.saving == nil else { return then([:]) }
    var saving = Saving(open: [], files: [:], then: then)
    for (app, build) in worker.release.builds.enumerated() {
      guard let fd = try? System.memoryFile("state") else { continue }
      saving.open.insert(app)
      let version = releases.current?.builds.first { $0.mount == build.mount }?.version ?? build.version
      saving.files[app] = SavedState(descriptor: fd, version: version)
      worker.send(Message(.save, [.init("app", "\(app)")]), descriptor: fd)
    }
    guard !saving.open.isEmpty else { return then([:]) }
    worker.saving = saving
    alarms.set(.saveTimeout(worker: worker.id), seconds: Master.patience)
  }

  /// A worker has written the state of one application.
  func saved(_ worker: WorkerHandle, _ app: Int, hasState: Bool) {
    guard worker.saving?.open.remove(app) != nil else { return }
    let bytes = worker.saving!.files[app].map { System.size($0.descriptor) } ?? 0
    let isTooMuch = bytes > Limits.savedStateBytes
    if isTooMuch {
      MasterLog.warning(
        "\(worker.title) left a state of \(bytes) bytes, which is too much; its successor starts cold")
    }
    if !hasState || isTooMuch, let state = worker.saving!.files.removeValue(forKey: app) {
      System.close(state.descriptor)
    }
    if worker.saving!.open.isEmpty { savingEnded(worker) }
  }

  /// Goes on with what was written so far.
  func savingEnded(_ worker: WorkerHandle) {
    guard let saving = worker.saving else { return }
    worker.saving = nil
    alarms.cancel(.saveTimeout(worker: worker.id))
    var files = saving.files
    for app in saving.open {
      // An incomplete state counts as none.
      if let state = files.removeValue(forKey: app) { System.close(state.descriptor) }
    }
    saving.then(files)
  }

  func savingTimedOut(_ id: Int) {
    guard let worker = workers[id] else { return }
    MasterLog.warning("\(worker.title) did not write its state in time; its successor starts cold")
    savingEnded(worker)
  }
}
