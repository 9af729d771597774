import Control

/// The master's view of one worker process.
final class WorkerHandle {
  /// How far it has come.
  enum State {
    /// Spawned, not heard of.
    case starting
    /// It accepts.
    case serving
    /// It accepts no more, and ends when it has answered what it has.
    case retiring
    /// Its process is gone.
    case ended
  }

  /// Why it was spawned: what becomes of it depends on that.
  enum Purpose: Equatable {
    /// To fill an empty place.
    case fill
    /// To follow one that asked to be replaced.
    case succeed
    /// To be the first of a new release, or one that follows it.
    case rollout
  }

  let id: Int
  /// Which worker it is: two may share a place while one follows the other.
  let place: Int
  let pid: Int32
  let processDescriptor: Int32
  /// The packet socket.
  let link: Int32
  /// The page that the worker writes.
  private let memory: UnsafeRawPointer
  /// What was read of it last.
  private let copy: UnsafeMutableRawPointer
  /// What it runs; an in-place swap changes it.
  var release: Release
  let purpose: Purpose
  /// Monotonic nanoseconds.
  let began: UInt64
  var readyAt: UInt64 = 0
  var state = State.starting
  /// What it said before it failed, and the exit code it announced.
  var failure: (reason: String, code: Int32)?
  /// What it has loaded as libraries.
  var libraries = LibraryReport()
  /// Why it is being replaced or ended by the master.
  var sentence: String?
  /// The state that it is writing for its successor.
  var saving: Saving?
  /// It has said that it accepts no more.
  var isDeaf = false
  /// How much it says.
  var hearing = Hearing()

  init(
    id: Int, place: Int, pid: Int32, processDescriptor: Int32, link: Int32,
    memory: UnsafeRawPointer, release: Release, purpose: Purpose
  ) {
    (self.id, self.place, self.pid, self.processDescriptor) = (id, place, pid, processDescriptor)
    (self.link, self.memory, self.release, self.purpose) = (link, memory, release, purpose)
    copy = .allocate(byteCount: Scoreboard.bytes, alignment: 64)
    began = System.now()
  }

  deinit {
    System.unmap(memory, Scoreboard.bytes)
    copy.deallocate()
  }

  /// The scoreboard as it is now. A copy: what the worker writes meanwhile, into the middle of a text for
  /// example, changes nothing of what is being read. Valid until the next look.
  var board: Scoreboard {
    copy.copyMemory(from: memory, byteCount: Scoreboard.bytes)
    return Scoreboard(copy)
  }

  /// Says something. A worker that takes no packets is stuck; the clock deals with it.
  func send(_ message: Message, descriptor: Int32 = -1) {
    try? System.sendPacket(link, message.bytes, descriptor: descriptor)
  }

  /// "worker 2 (pid 4711)".
  var title: String { "worker \(place + 1) (pid \(pid))" }
}
