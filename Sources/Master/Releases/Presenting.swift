import Config
import Control

/// Certificates that workers are to present: tried, accepted, and being sent to every existing worker.
struct Presenting {
  let request: Request
  /// As `Release.certificates`.
  let certificates: Int
}

/// Other certificates for the existing workers. Once they have been tried they belong to the release: workers
/// started later have them, and every worker that has others is asked until none is left.
extension Releases {
  /// A child has read the files, and another has tried them.
  mutating func certified(_ request: Request, _ files: [HandedFile]) {
    guard let current else { return }
    if files == current.files {
      return succeed("nothing to do: the certificates are those that serve", changed: false)
    }
    let number = nextNumber()
    self.current!.files = files
    self.current!.certificates = number
    // Going back to an earlier build does not bring back the certificates presented then.
    if let previous = probation?.previous, previous.settings.saysTheSameOfTLS(as: current.settings) {
      probation!.previous.files = Releases.files(files, of: current, for: previous)
      probation!.previous.certificates = number
    }
    state = .presenting(Presenting(request: request, certificates: number))
    setDeadline(request)
  }

  /// The files of one release for the workers of another one that presents the same certificates; the key
  /// that its builds are signed with (`--app-key`) stays its own.
  static func files(_ files: [HandedFile], of one: Release, for other: Release) -> [HandedFile] {
    let key = other.settings.supervision.appKey
    return files.filter { $0.path != one.settings.supervision.appKey } + other.files.filter { $0.path == key }
  }

  /// The files of a release's workers: the last accepted ones.
  func files(of release: Release) -> [HandedFile] {
    known.first { $0.configuration == release.configuration }?.files ?? release.files
  }

  /// Asks every serving worker that presents others.
  mutating func offerCertificates() {
    guard let current else { return }
    if case .stopping = state { return }
    for id in workers.keys.sorted() {
      guard let worker = workers[id], worker.phase == .serving, isBehind(worker),
        worker.offered != current.certificates
      else { continue }
      workers[id]!.offered = current.certificates
      act(.present(id, certificates: current.certificates))
      act(.alarm(.present(worker: id), seconds: current.settings.supervision.startSeconds))
    }
  }

  /// It runs under the serving options, but presents other certificates.
  private func isBehind(_ worker: Worker) -> Bool {
    guard let current else { return false }
    return worker.actual.configuration == current.configuration && worker.certificates != current.certificates
  }

  /// How many such workers there are.
  private var behind: Int { workers.values.count { $0.phase != .leaving && isBehind($0) } }

  mutating func proceed(_ presenting: Presenting) {
    guard presenting.certificates == current?.certificates else {
      // The change is over, whatever the answer: `refuse` takes back nothing that was accepted.
      state = .serving
      let reason = "the options that they are for were taken back; the certificates of those before serve"
      return finish(presenting.request, .refused(reason))
    }
    if behind == 0 { succeed("the new certificates are presented") }
  }

  mutating func presents(_ id: Int, _ number: Int) {
    guard workers[id]?.offered == number else { return }
    workers[id]!.certificates = number
    act(.cancel(.present(worker: id)))
  }

  /// The files are good: the worker is at fault. Its replacement begins with them.
  mutating func declined(_ id: Int, _ number: Int, _ reason: String) {
    guard let worker = workers[id], worker.offered == number, isBehind(worker), worker.phase == .serving
    else {
      return
    }
    act(.cancel(.present(worker: id)))
    act(
      .log(
        .warning,
        "the worker of place \(worker.seat + 1) is replaced: it cannot present certificates: \(reason)")
    )
    workers[id]!.wantsOut = true
  }

  /// Some workers have neither taken them nor left: they are leaving, and nobody waits for them.
  mutating func presentingTimedOut() {
    succeed("the new certificates are presented; workers that are still to be replaced: \(behind)")
  }
}
