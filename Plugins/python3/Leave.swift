// Tells Python when the worker leaves: handlers of signals run beside requests (uwsgi/signals.py).
import CNSGI
import Synchronization

/// The extension `draft.leave/1`, through which the server reports that (docs/NSGI.md).
private struct LeaveTable {
  let leave: @convention(c) (UnsafeMutableRawPointer?) -> Void
}

/// A descriptor that notifies a Python thread.
enum Leave {
  /// Where to write; -1 for nowhere.
  private static let descriptor = Atomic<Int32>(-1)

  /// The answer of `nsgi_app.extension`.
  nonisolated(unsafe) static let table: UnsafeRawPointer = {
    let table = UnsafeMutablePointer<LeaveTable>.allocate(capacity: 1)
    // The server's loop waits: this must not take the interpreter's lock.
    table.initialize(
      to: LeaveTable { _ in System.write(System.nanoseconds, to: descriptor.load(ordering: .acquiring)) })
    return UnsafeRawPointer(table)
  }()

  /// - Parameter descriptor: the writing end of a pipe that does not block, open as long as the process
  ///   lives. The machine's clock will be written there, in nanoseconds: eight bytes for each application.
  static func tell(_ descriptor: Int32) { self.descriptor.store(descriptor, ordering: .releasing) }
}
