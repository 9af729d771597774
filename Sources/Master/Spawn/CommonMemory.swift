// What the workers share for the module `uwsgi`: memory, and a pipe for signals. The master makes both and
// looks into neither.
import Config
import Control

/// The descriptors, which workers get.
final class CommonMemory {
  let memory: Int32
  let pipe: (read: Int32, write: Int32)
  /// The caches that it has room for.
  let caches: [CacheSettings]

  init(_ settings: SharedSettings) throws(SystemError) {
    caches = settings.caches
    memory = try System.sealedMemory("uwsgi", SharedMemory.fixedBytes + settings.cacheBytes)
    do throws(SystemError) {
      pipe = try System.pipe()
    } catch {
      System.close(memory)
      throw error
    }
    System.tryNonBlocking(pipe.write)
  }

  deinit {
    for descriptor in [memory, pipe.read, pipe.write] { System.close(descriptor) }
  }
}

extension Master {
  /// The memory that the workers of a release share; nil if no runtime asks for it. Other caches need another
  /// memory, and the previous one stays as long as a worker or a release that may serve again uses it: all
  /// workers of a release have the same.
  func commonMemory(of release: Release) throws(SystemError) -> CommonMemory? {
    guard release.settings.shared.offersModule,
      release.settings.apps.contains(where: { $0.runtime?.name == "python3" })
    else { return nil }
    let caches = release.settings.shared.caches
    if let common = commons.first(where: { $0.caches == caches }) { return common }
    if !commons.isEmpty { MasterLog.info("the caches are others now, and empty") }
    let common = try CommonMemory(release.settings.shared)
    commons.append(common)
    return common
  }

  /// Closes memory that no worker and no release uses any more.
  func dropCommonMemory() {
    guard commons.count > 1, launching.isEmpty, forking.isEmpty else { return }
    let releases = releases.known + workers.values.map(\.release)
    commons.removeAll { common in !releases.contains { $0.settings.shared.caches == common.caches } }
  }
}

/// Reloads that applications ask for.
struct Renewal {
  /// Monotonic nanoseconds of the last one; 0: there was none.
  var last: UInt64 = 0
  /// The reason of those who have asked for another one meanwhile.
  var waiting: String?
}

extension Master {
  /// An application asks to be reloaded: done at once or, if it keeps asking, after a pause shared by all who
  /// ask meanwhile.
  func asksForReload(_ worker: WorkerHandle, _ reason: String) {
    guard renewal.waiting == nil, servesOn else { return }
    renewal.waiting = "\(worker.title) asks for a reload: \(Message.cut(reason, Message.nameBytes))"
    let passed = Double(System.now() &- renewal.last) / 1e9
    let isDevelopment = releases.current?.settings.supervision.isDevelopment ?? false
    let pause = isDevelopment ? Limits.developmentPauseSeconds : Limits.reloadPauseSeconds
    guard renewal.last != 0, passed < pause else { return renew() }
    alarms.set(.renewal, seconds: pause - passed)
  }

  /// Carries out the reload that workers have asked for.
  func renew() {
    guard let words = renewal.waiting, servesOn else { return }
    renewal = Renewal(last: System.now())
    MasterLog.info(words)
    inform(.asked(.reload(cause: "an application"), by: nil, cause: .init(.application, words)))
  }
}
