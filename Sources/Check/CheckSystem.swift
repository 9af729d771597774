import CLinux
import Glibc
import Host
import Posix

/// System calls of `server check`: a child of its own, a pipe for its report, memory that can be taken
/// back.
extension System {
  /// Starts this very program again: nothing to read, standard error for both outputs, `report` as
  /// descriptor 3, a process group of its own. `variables` are set in its environment unless they are in
  /// this one's.
  static func spawnSelf(
    _ arguments: [String], variables: [String], report: Int32
  ) throws(SystemError) -> pid_t {
    var environment = ProcessEnvironment.lines
    for line in variables {
      let name = line.prefix { $0 != "=" } + "="
      if !environment.contains(where: { $0.hasPrefix(name) }) { environment.append(line) }
    }
    let nothing = try System.openNothing()
    defer { System.close(nothing) }
    let descriptors = [
      (nothing, STDIN_FILENO), (STDERR_FILENO, STDOUT_FILENO), (STDERR_FILENO, STDERR_FILENO), (report, 3),
    ]
    return try Spawn(
      "/proc/self/exe", ["server"] + arguments, descriptors: descriptors, environment: environment,
      family: .ownGroup
    ).start()
  }

  /// A descriptor that is at its end when it is read. The corresponding C function is `open` of /dev/null.
  private static func openNothing() throws(SystemError) -> Int32 {
    let fd = open("/dev/null", O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { throw SystemError("open") }
    return fd
  }

  /// Whether a child has ended; it stays to be reaped, and its process group with it. C function: `waitid`.
  static func hasEnded(_ pid: pid_t) -> Bool {
    var information = siginfo_t()
    let result = waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT)
    return result == 0 && information.si_signo == SIGCHLD
  }

  /// Ends what is left of a child and its process group, and tells how the child itself ended. The
  /// corresponding C functions are `kill` and `waitpid`.
  static func endGroup(_ pid: pid_t) -> Ending {
    kill(-pid, SIGKILL)
    return Spawn.waitForEnd(of: pid)
  }

  /// SIGALRM ends this process after so many seconds, unless it is set anew. The corresponding C function
  /// is `alarm`.
  static func endAfter(seconds: UInt32) { alarm(seconds) }

  /// Memory of its own pages, zeroed. The corresponding C function is `mmap`.
  static func mapMemory(_ count: Int) throws(SystemError) -> UnsafeMutableRawPointer {
    let address = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let address, address != MAP_FAILED else { throw SystemError("mmap") }
    return address
  }

  /// Any access faults from now on. The corresponding C function is `mprotect`.
  static func forbidMemory(_ address: UnsafeMutableRawPointer, _ count: Int) {
    _ = mprotect(address, count, PROT_NONE)
  }

  /// A number for the calling thread. The corresponding C function is `pthread_self`.
  static func threadID() -> UInt { UInt(pthread_self()) }

  /// A C string of its own; `free` ends it. The corresponding C function is `strdup`.
  static func copy(_ text: String) -> UnsafePointer<CChar>? { strdup(text).map { UnsafePointer($0) } }
}
