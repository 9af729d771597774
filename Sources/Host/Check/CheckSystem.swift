import CLinux
import Glibc

/// System calls of `server check`: a child of its own, a pipe for its report, memory that can be taken
/// back.
extension System {
  /// How a child ended.
  enum Ending: Equatable {
    case exited(Int32)
    case killed(signal: Int32)
  }

  /// A pipe, both ends closed on exec. The corresponding C function is `pipe`.
  static func makePipe() throws(SystemError) -> (reading: Int32, writing: Int32) {
    var ends: (Int32, Int32) = (-1, -1)
    let result = withUnsafeMutableBytes(of: &ends) { pipe($0.bindMemory(to: Int32.self).baseAddress!) }
    guard result == 0 else { throw SystemError("pipe") }
    closeOnExec(ends.0)
    closeOnExec(ends.1)
    return ends
  }

  /// Neither programs that are started nor copies of the process keep the descriptor. The corresponding C
  /// function is `fcntl` with F_SETFD.
  static func closeOnExec(_ fd: Int32) {
    _ = fcntl(own(fd), F_SETFD, FD_CLOEXEC)
  }

  /// A program that this process becomes keeps the descriptor. The corresponding C function is `fcntl` with
  /// F_SETFD.
  static func inheritOnExec(_ fd: Int32) { _ = fcntl(own(fd), F_SETFD, 0) }

  /// Starts this very program again: nothing to read, standard error for both outputs, `report` as
  /// descriptor 3, a process group of its own. `variables` are set in its environment unless they are in
  /// this one's. The corresponding C function is `posix_spawn`.
  static func spawnSelf(
    _ arguments: [String], variables: [String], report: Int32
  ) throws(SystemError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, report, 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setpgroup(&attributes, 0)
    let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    posix_spawnattr_setflags(&attributes, Int16(flags))

    var words = (["server"] + arguments).map { strdup($0) } + [nil]
    var environment = environmentLines()
    for line in variables {
      let name = line.prefix { $0 != "=" } + "="
      if !environment.contains(where: { $0.hasPrefix(name) }) { environment.append(line) }
    }
    var lines = environment.map { strdup($0) } + [nil]
    defer { for text in words + lines { free(text) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, &words, &lines)
    guard code == 0 else { throw SystemError("posix_spawn", code) }
    return pid
  }

  /// The environment as NAME=value. The corresponding C variable is `environ`.
  private static func environmentLines() -> [String] {
    var result: [String] = []
    var entry = environ
    while let text = entry.pointee {
      result.append(String(cString: text))
      entry += 1
    }
    return result
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
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    return status & 0x7f == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: status & 0x7f)
  }

  /// Waits until a descriptor can be read or is at its end; false when the time is over. C function:
  /// `poll`.
  static func waitReadable(_ fd: Int32, milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, milliseconds) > 0
  }

  /// SIGALRM ends this process after so many seconds, unless it is set anew. The corresponding C function
  /// is `alarm`.
  static func endAfter(seconds: UInt32) { alarm(seconds) }

  /// This process does not outlive the one that has started it. The corresponding C function is `prctl`.
  static func dieWithParent() { _ = clinux_death_signal(SIGKILL) }

  /// No core file for a crash of this process. The corresponding C function is `setrlimit`.
  static func leaveNoCore() {
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(Int32(RLIMIT_CORE.rawValue), &none)
  }

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

  /// Whether a library is still in memory. The corresponding C function is `dlopen` with RTLD_NOLOAD.
  static func isLoaded(_ path: String) -> Bool {
    guard let handle = dlopen(path, RTLD_NOW | RTLD_NOLOAD) else { return false }
    dlclose(handle)
    return true
  }

  /// A C string of its own; `free` ends it. The corresponding C function is `strdup`.
  static func copy(_ text: String) -> UnsafePointer<CChar>? { strdup(text).map { UnsafePointer($0) } }

  /// "SIGSEGV" and the like. The corresponding C function is `strsignal`.
  static func signalName(_ number: Int32) -> String {
    let names: [Int32: String] = [
      SIGSEGV: "SIGSEGV", SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGILL: "SIGILL", SIGFPE: "SIGFPE",
      SIGTRAP: "SIGTRAP", SIGKILL: "SIGKILL", SIGTERM: "SIGTERM", SIGALRM: "SIGALRM", SIGPIPE: "SIGPIPE",
      SIGSYS: "SIGSYS", SIGXCPU: "SIGXCPU", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT",
    ]
    return names[number] ?? "signal \(number)"
  }
}
