import Glibc

/// With `--threads 1`: the one thread on which applications run, from load() over all calls to unload(), as
/// under servers that have only one. Objects that belong to the thread that made them can live there.
///
/// It is not the process's first thread, which has to stay free to end the process; to Python it is the main
/// one. In a program that is not the server's own it is the first one, and another ends the process. It never
/// ends: things that belong to it outlive the last task.
///
/// Unchecked: the task is guarded by `mutex`.
final class HomeThread: @unchecked Sendable {
  private let mutex = Monitor()
  private var task: (() -> Void)?

  private init() {}

  /// The first thread of a program that is not the server's own, once it is lent. Written before any other
  /// thread is started.
  private nonisolated(unsafe) static var lent: HomeThread?

  /// Makes this thread the home thread, while another one does `work`, which ends the process.
  static func lendThisThread(_ work: @escaping @Sendable () -> Void) throws(ServerFailure) -> Never {
    let home = HomeThread()
    lent = home
    guard System.startThread(work) else { throw noThread }
    home.run()
  }

  private static var noThread: ServerFailure {
    ServerFailure("cannot start a thread for the applications; raise the limit (ulimit -u)")
  }

  /// Starts it if the settings ask for one.
  static func start(threads: Int) throws(ServerFailure) -> HomeThread? {
    guard threads == 1 else { return nil }
    if let lent { return lent }
    let home = HomeThread()
    guard System.startThread({ home.run() }) else { throw noThread }
    return home
  }

  private func run() -> Never {
    while true {
      mutex.lock()
      while task == nil { mutex.wait() }
      let current = task!
      mutex.unlock()
      current()
      mutex.lock()
      task = nil
      mutex.broadcast()
      mutex.unlock()
    }
  }

  /// Does something there, when the previous task is done; does not wait for it.
  func begin(_ task: @escaping () -> Void) {
    mutex.lock()
    while self.task != nil { mutex.wait() }
    self.task = task
    mutex.broadcast()
    mutex.unlock()
  }

  /// Does something there and waits for it.
  func perform<Result>(_ body: @escaping () -> Result) -> Result {
    nonisolated(unsafe) var result: Result?
    let done = Completion()
    begin {
      result = body()
      done.done()
    }
    done.wait()
    return result!
  }
}

extension HomeThread? {
  /// Does something there, or on this thread if there is no home thread.
  func perform<Result>(
    _ body: @escaping () throws(ServerFailure) -> Result
  ) throws(ServerFailure) -> Result {
    guard let self else { return try body() }
    let outcome = self.perform { () -> Swift.Result<Result, ServerFailure> in
      do throws(ServerFailure) { return .success(try body()) } catch { return .failure(error) }
    }
    return try outcome.get()
  }
}

/// Calls at home. While the home thread is busy with a call that has left the loop, another thread leads,
/// which calls nothing: requests queue, and the home thread leads again when it returns.
extension Worker {
  /// The home thread is about to come back to the followers.
  func cameHome(_ thread: HostThread) {
    guard thread.isHome else { return }
    leadership.homeIsFree()
    inbox.post(.cameHome)
  }

  /// Leader: the home thread waits, and has to lead; another one goes back to the followers.
  func giveBack() -> Turn {
    leading.isAway && leadership.reserve() ? .handedOff : .goesOn
  }

  /// Leader, at home again: calls for the requests that have come meanwhile.
  func serveQueues() -> Turn {
    for app in apps.all where serveQueue(app.calls) == .handedOff { return .handedOff }
    leading.hasQueues = false
    return .goesOn
  }
}
