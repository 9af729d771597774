import CLinux
import Glibc
import Host
import Posix

/// System calls of `server check`: a child of its own, a pipe for its report, memory that can be revoked.
extension System {
  /// Starts this same program again: with empty input, standard error for both outputs, `report` as
  /// descriptor 3, and a process group of its own. Sets `variables` in its environment unless they are in
  /// this one's.
  static func spawnSelf(
    _ arguments: [String], variables: [String], report: Int32
  ) throws(SystemError) -> pid_t {
    var environment = ProcessEnvironment.lines
    for line in variables {
      let name = line.prefix { $0 != "=" } + "="
      if !environment.contains(where: { $0.hasPrefix(name) }) { environment.append(line) }
    }
    return try spawn("/proc/self/exe", ["server"] + arguments, environment, report: report)
  }

  /// Starts another program in the same way; `variables` override those of this process.
  static func spawnProgram(
    _ words: [String], _ variables: [String], report: Int32
  ) throws(SystemError) -> pid_t {
    let names = variables.map { $0.prefix { $0 != "=" } + "=" }
    let others = ProcessEnvironment.lines.filter { line in !names.contains { line.hasPrefix($0) } }
    return try spawn(words[0], words, others + variables, report: report)
  }

  private static func spawn(
    _ path: String, _ words: [String], _ environment: [String], report: Int32
  ) throws(SystemError) -> pid_t {
    let nothing = try System.openNothing()
    defer { System.close(nothing) }
    let descriptors = [
      (nothing, STDIN_FILENO), (STDERR_FILENO, STDOUT_FILENO), (STDERR_FILENO, STDERR_FILENO), (report, 3),
    ]
    return try Spawn(
      path, words, descriptors: descriptors, environment: environment, family: .ownGroup
    ).start()
  }

  /// Hands over the lines that a child writes, without their ends, until it ends; false if none that counts,
  /// as `take` says, comes for this many seconds.
  static func readLines(
    of pid: pid_t, _ descriptor: Int32, limit: Double, _ take: (String) -> Bool
  ) -> Bool {
    var pending: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    var deadline = now() + UInt64(limit * 1e9)
    while true {
      // Asked before the pipe is, so that nothing a dead child wrote is missed.
      let hasEnded = hasEnded(pid)
      if waitReadable(descriptor, milliseconds: hasEnded ? 0 : 20) {
        let count = buffer.withUnsafeMutableBytes {
          (try? System.read(descriptor, $0.baseAddress!, $0.count)) ?? 0
        }
        pending += buffer[..<count]
        while let end = pending.firstIndex(of: 0x0a) {
          let line = String(decoding: pending[..<end], as: UTF8.self)
          pending.removeSubrange(...end)
          if take(line) { deadline = now() + UInt64(limit * 1e9) }
        }
        if count > 0 { continue }
        // The application may have closed the descriptor but go on.
        if !hasEnded { pause(microseconds: 5000) }
      }
      if hasEnded { return true }
      if now() > deadline { return false }
    }
  }

  /// A descriptor that reads as empty. The corresponding C function is `open` of /dev/null.
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

  /// Has SIGALRM end this process after this many seconds, unless it is set again. The corresponding C
  /// function is `alarm`.
  static func endAfter(seconds: UInt32) { alarm(seconds) }

  /// Memory in pages of its own, zeroed. The corresponding C function is `mmap`.
  static func mapMemory(_ count: Int) throws(SystemError) -> UnsafeMutableRawPointer {
    let address = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let address, address != MAP_FAILED else { throw SystemError("mmap") }
    return address
  }

  /// Makes any access fault from now on. The corresponding C function is `mprotect`.
  static func forbidMemory(_ address: UnsafeMutableRawPointer, _ count: Int) {
    _ = mprotect(address, count, PROT_NONE)
  }

  /// A number for the calling thread. The corresponding C function is `pthread_self`.
  static func threadID() -> UInt { UInt(pthread_self()) }

  /// A copy as a C string, to be released with `free`. The corresponding C function is `strdup`.
  static func copy(_ text: String) -> UnsafePointer<CChar>? { strdup(text).map { UnsafePointer($0) } }
}
