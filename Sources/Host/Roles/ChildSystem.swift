import CLinux
import Glibc
import Posix

/// System calls about children, what they inherit, and what they leave.
extension System {
  /// A pipe that neither started programs nor copies of the process keep.
  package static func makePipe() throws(SystemError) -> (reading: Int32, writing: Int32) {
    let ends = try Pipe.make()
    return (own(ends.reading), own(ends.writing))
  }

  /// Makes the descriptor one that neither started programs nor copies of the process keep. The corresponding
  /// C function is `fcntl` with F_SETFD.
  package static func closeOnExec(_ fd: Int32) {
    _ = fcntl(own(fd), F_SETFD, FD_CLOEXEC)
  }

  /// Makes a program that this process becomes keep the descriptor. The corresponding C function is `fcntl`
  /// with F_SETFD.
  package static func inheritOnExec(_ fd: Int32) { _ = fcntl(own(fd), F_SETFD, 0) }

  /// Waits until a descriptor can be read or is at its end; false when the time is up. C function: `poll`.
  package static func waitReadable(_ fd: Int32, milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, milliseconds) > 0
  }

  /// Makes this process end with the one that started it. The corresponding C function is `prctl`.
  package static func dieWithParent() { _ = clinux_death_signal(SIGKILL) }

  /// Prevents a core file if this process crashes. The corresponding C function is `setrlimit`.
  package static func leaveNoCore() {
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(Int32(RLIMIT_CORE.rawValue), &none)
  }

  /// Whether a library is still in memory. The corresponding C function is `dlopen` with RTLD_NOLOAD.
  package static func isLoaded(_ path: String) -> Bool {
    guard let handle = dlopen(path, RTLD_NOW | RTLD_NOLOAD) else { return false }
    dlclose(handle)
    return true
  }
}
