import CLinux
import Glibc

/// System calls around signals.
extension System {
  /// Blocks the signals and returns a descriptor that reads them once they are let through. The
  /// corresponding C functions are `sigprocmask` and `pipe2`.
  static func signalDescriptor(_ signals: [Int32]) throws(SystemError) -> Int32 {
    let descriptor = clinux_hold_signals(signals, Int32(signals.count))
    if descriptor < 0 { throw SystemError("pipe2") }
    return descriptor
  }

  /// Lets them through: programs that an app starts must not find them blocked, as they would with a
  /// signalfd. After the apps have loaded, whose handlers are replaced. The corresponding C function is
  /// `sigaction`.
  static func letSignals() { clinux_let_signals() }

  /// Whether this process reads signals itself.
  static var readsSignals: Bool { clinux_holds_signals() != 0 }

  /// Waits for one of the signals, before any handler gets it; nil when the time is over (milliseconds, -1
  /// for ever) or something else came. The corresponding C function is `sigtimedwait`.
  static func awaitSignal(milliseconds: Int32) -> Int32? {
    let number = clinux_wait_signal(milliseconds)
    return number > 0 ? number : nil
  }

  /// Sends a signal to the descriptor that reads them. The corresponding C function is `write`.
  static func passSignal(_ number: Int32) { clinux_pass_signal(number) }

  /// Wakes a thread of this process that waits for signals. The corresponding C function is `pthread_kill`.
  static func wake(_ thread: pthread_t) { pthread_kill(thread, SIGUSR1) }

  /// Whether the other end of a socket is gone. The corresponding C function is `poll`.
  static func isHungUp(_ fd: Int32) -> Bool {
    var entry = pollfd(fd: fd, events: 0, revents: 0)
    return poll(&entry, 1, 0) > 0 && entry.revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0
  }

  /// From now on this process runs destructors alone: a fault in one ends it with `code`.
  static func endWith(_ code: Int32) { clinux_end_with(code) }

  /// Ends the process, and runs nothing of an app first. The corresponding C function is `_exit`.
  static func endAtOnce(_ code: Int32) -> Never { _exit(code) }
}
