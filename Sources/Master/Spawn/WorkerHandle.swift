import Control

/// The master's view of one worker process.
final class WorkerHandle {
  let id: Int
  /// Its seat: two workers may share one while one follows the other.
  let seat: Int
  let pid: Int32
  let processDescriptor: Int32
  /// The packet socket.
  let link: Int32
  /// The page that the worker writes.
  private let memory: UnsafeRawPointer
  /// Its contents as last read.
  private let copy: UnsafeMutableRawPointer
  /// What it runs; an in-place swap changes it.
  var release: Release
  /// Monotonic nanoseconds.
  let began: UInt64
  /// The reason that it gave before it failed, and the exit code that it announced.
  var failure: (reason: String, code: Int32)?
  /// The libraries that it has loaded.
  var libraries = LibraryReport()
  /// Answers, and those that failed, of an application before it was replaced in place.
  var before: [Int: (requests: Int, errors: Int)] = [:]
  /// When it was asked to show that its loop turns, in monotonic nanoseconds; 0: it was not asked, or has
  /// answered.
  var asked: UInt64 = 0
  /// It hangs, and was told to say where.
  var isStuck = false
  /// The state that it is writing for its successor.
  var saving: Saving?
  /// Counts its messages.
  var hearing = Hearing()

  init(
    id: Int, seat: Int, pid: Int32, processDescriptor: Int32, link: Int32,
    memory: UnsafeRawPointer, release: Release
  ) {
    (self.id, self.seat, self.pid, self.processDescriptor) = (id, seat, pid, processDescriptor)
    (self.link, self.memory, self.release) = (link, memory, release)
    copy = .allocate(byteCount: Scoreboard.bytes, alignment: 64)
    began = System.now()
  }

  deinit {
    System.unmap(memory, Scoreboard.bytes)
    copy.deallocate()
  }

  /// The scoreboard as it is now. A copy: anything that the worker writes meanwhile, into the middle of a
  /// text for example, does not change what is being read. Valid until the next look.
  var board: Scoreboard {
    copy.copyMemory(from: memory, byteCount: Scoreboard.bytes)
    return Scoreboard(copy)
  }

  /// Answers of an application, and those that failed, by the build that serves it now; `board` is this
  /// worker's.
  func answers(of app: Int, on board: Scoreboard) -> (requests: Int, errors: Int) {
    let before = before[app] ?? (0, 0)
    return (
      max(0, board[.requests, app: app].count - before.requests),
      max(0, board[.errors, app: app].count - before.errors)
    )
  }

  /// It remembers requests by its own options.
  var remembers: Bool { release.settings.supervision.replay.requests > 0 }

  /// Sends a message. A worker that takes no packets is stuck; the clock deals with it.
  func send(_ message: Message, descriptor: Int32 = -1) {
    try? System.sendPacket(link, message.bytes, descriptor: descriptor)
  }

  /// "worker 2 (pid 4711)".
  var title: String { "worker \(seat + 1) (pid \(pid))" }
}
