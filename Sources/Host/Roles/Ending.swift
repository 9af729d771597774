import Config
import Glibc
import Posix

/// How a process that has run applications ends.
///
/// Destructors and atexit() handlers of applications run at a graceful end, after every unload(): for
/// example, coverage data is written by one, and static C++ objects are destroyed in one. Threads that an
/// application has left may still run meanwhile, so the time is bounded, and a fault there changes nothing
/// about the end.
extension Server {
  /// No call of the server into an application is running any more.
  nonisolated(unsafe) private static var isGraceful = false

  /// Unloads the applications of a worker whose calls have all returned. A signal that comes meanwhile does
  /// not wait for them.
  static func unload(_ worker: Worker) {
    let watch = SignalWatch { event in
      guard case .stop = event else { return .heeded }
      System.endAtOnce(0)
    }
    defer { watch.end() }
    let unloadAll = {
      for errand in worker.leading.errands { errand() }
      for app in worker.apps.all { app.generation.unload() }
    }
    worker.leading.home?.perform(unloadAll) ?? unloadAll()
    isGraceful = !worker.departure.isAtOnce
  }

  /// Ends the process: flushes printed output, and runs the destructors of applications if no call is in
  /// progress.
  public static func leave(_ code: Int32) -> Never {
    fflush(nil)
    LogSink.shared.drain(milliseconds: 200)
    LogSink.requests.drain(milliseconds: 200)
    // The Thread Sanitizer reports threads that an application has left as faults.
    guard isGraceful, !System.isDefined("__tsan_init") else { System.endAtOnce(code) }
    if !ProcessSetup.isSanitized { LastWords.watch() }
    System.endWith(code)
    let deadline = System.now() + UInt64(Limits.endSeconds * 1e9)
    _ = SignalWatch { event in
      if case .tick = event {
        guard System.now() > deadline else { return .heeded }
        announce(
          "destructors or atexit handlers of an application have not come to an end within "
            + "\(Int(Limits.endSeconds)) s; they are cut off")
      }
      System.endAtOnce(code)
    }
    exit(code)
  }
}
