import Glibc

/// With `--threads 1`, and for an application whose event loop is led (GuestLoop.swift): the one thread on
/// which applications run, from load() over all calls to unload(), as under servers that have only one.
/// Objects that belong to the thread that made them can live there.
///
/// It is not the process's first thread, which has to stay free to end the process; to Python it is the main
/// one. In a program that is not the server's own it is the first one, and another ends the process. It never
/// ends: things that belong to it outlive the last task.
///
/// Unchecked: the task and `isOver` are guarded by `mutex`.
final class HomeThread: @unchecked Sendable {
  private let mutex = Monitor()
  private var task: (() -> Void)?
  /// No more tasks come.
  private var isOver = false

  private init() {}

  /// The first thread of a program that is not the server's own, once it is lent. Written before any other
  /// thread is started.
  private nonisolated(unsafe) static var lent: HomeThread?

  /// Makes this thread the home thread, while another one does `work`, which ends the process.
  static func lendThisThread(_ work: @escaping @Sendable () -> Void) throws(ServerFailure) -> Never {
    let home = HomeThread()
    lent = home
    guard System.startThread(work) else { throw noThread }
    while true { home.run() }
  }

  /// Makes this thread, which has loaded the applications, the home thread while another one does `work`;
  /// then it goes on here.
  ///
  /// - Parameter abandoned: called before the process ends because an application does not return.
  static func host(
    _ work: @escaping (HomeThread) throws(ServerFailure) -> Void, abandoned: @escaping () -> Void = {}
  ) throws(ServerFailure) {
    let home = HomeThread()
    nonisolated(unsafe) var failure: ServerFailure?
    nonisolated(unsafe) let (work, abandoned) = (work, abandoned)
    let isStarted = System.startThread {
      do throws(ServerFailure) { try work(home) } catch { failure = error }
      guard !home.end() else { return }
      abandoned()
      if let failure { Server.announce("\(failure)") }
      Server.leave(failure?.exitCode ?? 0)
    }
    guard isStarted else { throw noThread }
    home.run()
    if let failure { throw failure }
  }

  /// No more tasks come; false if the last one does not return.
  private func end() -> Bool {
    mutex.lock()
    defer { mutex.unlock() }
    isOver = true
    mutex.broadcast()
    let deadline = Monitor.deadline(seconds: 1)
    while task != nil { guard mutex.wait(until: deadline) else { break } }
    return task == nil
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

  /// Does what comes; returns when no more does.
  private func run() {
    while true {
      mutex.lock()
      while task == nil, !isOver { mutex.wait() }
      guard let current = task else { return mutex.unlock() }
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
