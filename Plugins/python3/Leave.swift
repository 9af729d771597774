// When the worker leaves, Python is told: handlers of signals run beside requests (uwsgi/signals.py).
import CNSGI
import Synchronization

/// The extension `draft.leave/1`, by which the server tells (docs/NSGI.md).
private struct LeaveTable {
  let leave: @convention(c) (UnsafeMutableRawPointer?) -> Void
}

/// A descriptor that brings word to a thread of Python's.
enum Leave {
  /// Where to write it; -1 for nowhere.
  private static let descriptor = Atomic<Int32>(-1)

  /// What `nsgi_app.extension` answers.
  nonisolated(unsafe) static let table: UnsafeRawPointer = {
    let table = UnsafeMutablePointer<LeaveTable>.allocate(capacity: 1)
    // The server's loop waits: this takes no lock of the interpreter's.
    table.initialize(
      to: LeaveTable { _ in System.write(System.nanoseconds, to: descriptor.load(ordering: .acquiring)) })
    return UnsafeRawPointer(table)
  }()

  /// - Parameter descriptor: the writing end of a pipe that does not block, open as long as the process
  ///   lives. The machine's clock is written there, in nanoseconds: eight bytes for each application.
  static func tell(_ descriptor: Int32) { self.descriptor.store(descriptor, ordering: .releasing) }
}
