import CLinux
import Control
import Glibc
import Posix

/// A system call's failure, one type in every process.
typealias SystemError = Posix.SystemError
/// How a process ended.
typealias Ending = Posix.Ending

/// Every system call of the master, one thin function each. None of them waits for anything but time.
enum System: ParentSystem {
  /// Monotonic nanoseconds. The corresponding C function is `clock_gettime`.
  static func now() -> UInt64 { clinux_monotonic_ns() }

  /// Seconds of the calendar. The corresponding C function is `clock_gettime`.
  static func seconds() -> Int64 { clinux_realtime_s() }

  /// The corresponding C function is `close`.
  static func close(_ fd: Int32) { _ = Glibc.close(fd) }

  /// A copy of a descriptor that is not one of the standard ones. C function: `fcntl` with F_DUPFD_CLOEXEC.
  static func duplicate(_ fd: Int32) throws(SystemError) -> Int32 {
    try check("fcntl", clinux_duplicate(fd, STDERR_FILENO + 1))
  }

  static func check(_ call: StaticString, _ result: Int32) throws(SystemError) -> Int32 {
    if result < 0 { throw SystemError(call) }
    return result
  }

  // MARK: Processes

  /// A descriptor that becomes readable at the process's end. The corresponding call is `pidfd_open`.
  static func processDescriptor(_ pid: pid_t) throws(SystemError) -> Int32 {
    try check("pidfd_open", clinux_pidfd(pid))
  }

  /// The corresponding C function is `getpid`.
  static var ownPID: pid_t { getpid() }

  /// The path of the file that this program was started from.
  static var programPath: String { ProgramFile.path(of: "/proc/self/exe") }

  /// Processors that this process may use; at least 1. The corresponding C function is `sched_getaffinity`.
  static var processors: Int { max(1, Int(clinux_processors())) }

  // MARK: Waiting

  /// The corresponding C function is `epoll_create1`.
  static func epollCreate() throws(SystemError) -> Int32 {
    try check("epoll_create1", epoll_create1(Int32(EPOLL_CLOEXEC)))
  }

  /// Watches a descriptor for input, and for room if `output`; the token is the descriptor itself.
  /// The corresponding C function is `epoll_ctl`.
  static func watch(_ epoll: Int32, _ fd: Int32, output: Bool = false, isNew: Bool = true) throws(SystemError)
  {
    let events = output ? CLINUX_EPOLLIN | CLINUX_EPOLLOUT : CLINUX_EPOLLIN
    let operation = isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD
    _ = try check("epoll_ctl", clinux_epoll_ctl(epoll, operation, fd, events, UInt64(UInt32(fd))))
  }

  /// The corresponding C function is `epoll_ctl` with EPOLL_CTL_DEL.
  static func unwatch(_ epoll: Int32, _ fd: Int32) { _ = clinux_epoll_ctl(epoll, EPOLL_CTL_DEL, fd, 0, 0) }

  /// Descriptors with something to do; empty when the time (milliseconds, -1 for ever) is over, or a signal
  /// came. The corresponding C function is `epoll_wait`.
  static func wait(_ epoll: Int32, milliseconds: Int32) throws(SystemError) -> [Int32] {
    var events = [epoll_event](repeating: epoll_event(), count: 64)
    let count = epoll_wait(epoll, &events, 64, milliseconds)
    if count < 0, errno != EINTR { throw SystemError("epoll_wait") }
    return count <= 0 ? [] : (0..<count).map { Int32(truncatingIfNeeded: clinux_epoll_token(events, $0)) }
  }

  /// The corresponding C function is `usleep`.
  static func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }

  /// Whether input waits on any of the descriptors. The corresponding C function is `poll`.
  static func haveInput(_ descriptors: [Int32]) -> Bool {
    var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    return poll(&entries, nfds_t(entries.count), 0) > 0
  }

  /// Blocks the signals and returns a descriptor that reads them. The corresponding C function is
  /// `signalfd`.
  static func signalDescriptor(_ signals: [Int32]) throws(SystemError) -> Int32 {
    clinux_disarm_write_signals()
    return try check("signalfd", clinux_signalfd(signals, Int32(signals.count)))
  }

  /// A signal that means nothing to the master does not end it. Programs that it starts find all signals at
  /// their defaults (`Spawn`). The corresponding C function is `sigaction`.
  static func ignoreStraySignals() { clinux_ignore_stray_signals() }

  /// The next signal; nil when none is there.
  static func nextSignal(_ fd: Int32) -> Int32? {
    let number = clinux_next_signal(fd)
    return number == 0 ? nil : number
  }

  /// The next signal, and the user and the process that have sent it, if the kernel vouches for them; nil
  /// when none is there. The corresponding C function is `read` (signalfd(2)).
  static func nextSignalAndSender(_ fd: Int32) -> (number: Int32, sender: (user: Int, process: Int)?)? {
    var (user, process): (uid_t, pid_t) = (0, 0)
    let number = clinux_next_signal_from(fd, &user, &process)
    guard number != 0 else { return nil }
    let sender: (user: Int, process: Int)? =
      process > 0 ? (user: Int(user), process: Int(process)) : nil
    return (number: number, sender: sender)
  }

  /// A descriptor that reports files that appear in directories. EMFILE from this call means the user's limit
  /// (inotify(7)); if this process has no descriptor left, `fcntl` reports it. The corresponding C function
  /// is `inotify_init1`.
  static func fileWatcher() throws(SystemError) -> Int32 {
    do throws(SystemError) {
      return try check("inotify_init1", inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC)))
    } catch {
      if error.code == EMFILE { close(try duplicate(STDERR_FILENO)) }
      throw error
    }
  }

  /// Watches a directory for finished and moved-in files, and for changed time stamps. The corresponding C
  /// function is `inotify_add_watch`.
  static func watchDirectory(_ watcher: Int32, _ path: String) throws(SystemError) -> Int32 {
    let events = UInt32(IN_CLOSE_WRITE) | UInt32(IN_MOVED_TO) | UInt32(IN_ATTRIB)
    return try check("inotify_add_watch", inotify_add_watch(watcher, path, events))
  }

  /// Which file a path leads to, links followed; nil for none. The corresponding C function is `stat`.
  static func identity(of path: String) -> FileIdentity? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return FileIdentity(status)
  }

  /// Files that have appeared, read in at most this many `bytes`: the directory's watch and the file's name.
  /// The rest comes the next time. The corresponding C function is `read`.
  static func appeared(_ watcher: Int32, atMost bytes: Int) -> [(watch: Int32, name: String)] {
    var result: [(watch: Int32, name: String)] = []
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 8)
    defer { buffer.deallocate() }
    let count = read(watcher, buffer.baseAddress!, buffer.count)
    var place = 0
    while place + 16 <= count {
      let watch = buffer.load(fromByteOffset: place, as: Int32.self)
      let length = Int(buffer.load(fromByteOffset: place + 12, as: UInt32.self))
      let name = buffer[(place + 16)..<(place + 16 + length)].prefix { $0 != 0 }
      result.append((watch, String(decoding: name, as: UTF8.self)))
      place += 16 + length
    }
    return result
  }

  // MARK: Messages

  /// Receives bytes from a stream; empty at its end. The corresponding C function is `recv`.
  static func receive(_ fd: Int32) throws(SystemError) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = recv(fd, &buffer, buffer.count, Int32(MSG_DONTWAIT))
    if count < 0 { throw SystemError("recv") }
    return Array(buffer[..<count])
  }

  /// Sends what the socket takes at once. The corresponding C function is `send`.
  static func send(_ fd: Int32, _ bytes: ArraySlice<UInt8>) throws(SystemError) -> Int {
    let count = bytes.withUnsafeBytes {
      Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
    }
    if count < 0 { throw SystemError("send") }
    return count
  }
}
