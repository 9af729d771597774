import CLinux
import Glibc

/// System calls around signals.
extension System {
  /// Takes the signals and returns a descriptor that reads them. Does not block them, as a signalfd would
  /// require: programs that an app starts would inherit that. The corresponding C functions are `sigaction`
  /// and `pipe2`.
  static func signalDescriptor(_ signals: [Int32]) throws(SystemError) -> Int32 {
    let descriptor = clinux_take_signals(signals, Int32(signals.count))
    if descriptor < 0 { throw SystemError("pipe2") }
    return descriptor
  }

  /// Takes them again, from apps that have set handlers of their own, and lets this thread receive them. The
  /// corresponding C functions are `sigaction` and `pthread_sigmask`.
  static func retakeSignals() { clinux_retake_signals() }

  /// Keeps what is sent to this thread until it waits for it. C function: `pthread_sigmask`.
  static func holdSignals() { clinux_hold_signals() }

  /// Whether this process reads signals itself.
  static var readsSignals: Bool { clinux_has_taken_signals() != 0 }

  /// Waits for one of the signals, before any handler gets it; nil when something else came. The
  /// corresponding C function is `sigtimedwait`.
  static func awaitSignal() -> Int32? {
    let number = clinux_wait_signal()
    return number > 0 ? number : nil
  }

  /// Waits until the first thread of the process is in `awaitSignal`.
  static func awaitReader() { clinux_await_reader() }

  /// Waits for a signal to come; nil if none comes in time. The corresponding C functions are `poll` and
  /// `read`.
  static func takenSignal(milliseconds: Int32) -> Int32? {
    let number = clinux_taken_signal(milliseconds)
    return number > 0 ? number : nil
  }

  /// Restores the state in which a process should begin: nothing blocked, nothing ignored; but a failed write
  /// must not end the process. The corresponding C functions are `sigprocmask` and `sigaction`.
  static func resetSignals() {
    clinux_reset_signals()
    clinux_disarm_write_signals()
  }

  /// Passes a signal to the descriptor that reads them. The corresponding C function is `write`.
  static func passSignal(_ number: Int32) { clinux_pass_signal(number) }

  /// Wakes a thread of this process that waits for signals. The corresponding C function is `pthread_kill`.
  static func wake(_ thread: pthread_t) { pthread_kill(thread, SIGUSR1) }

  /// The number of the process that has started this one. The corresponding C function is `getppid`.
  static var parent: Int32 { getppid() }

  /// Whether the other end of a socket is gone. The corresponding C function is `poll`.
  static func isHungUp(_ fd: Int32) -> Bool {
    var entry = pollfd(fd: fd, events: 0, revents: 0)
    return poll(&entry, 1, 0) > 0 && entry.revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0
  }

  /// From now on this process only runs destructors: a fault in one ends it with `code`.
  static func endWith(_ code: Int32) { clinux_end_with(code) }

  /// Ends the process, without running any code of an app first. The corresponding C function is `_exit`.
  static func endAtOnce(_ code: Int32) -> Never { _exit(code) }
}
