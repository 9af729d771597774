// One file because whoever asks what the server does to the machine finds all of it here.
import CLinux
import Control
import Glibc
import Posix

/// Every system call of the host, one thin function each: EINTR is handled here, errors are thrown,
/// nothing is decided. In debug builds `SystemScript` can play the kernel for tests.
package enum System {
  @inline(__always)
  static func retrying(_ call: StaticString, _ body: () -> Int) throws(SystemError) -> Int {
    while true {
      let result = body()
      if result >= 0 { return result }
      if errno != EINTR { throw SystemError(call) }
    }
  }

  /// One attempt at a call, from the script if a test plays one.
  @inline(__always)
  static func attempt(_ call: SystemScript.Call, _ count: Int, _ body: () -> Int) -> Int {
    #if DEBUG
      if let step = SystemScript.next(call) {
        switch step {
        case .fail(let code):
          errno = code
          return -1
        case .at(let most): return SystemScript.limited(to: most, count, body)
        case .pass: break
        }
      }
    #endif
    return body()
  }

  // MARK: Sockets

  /// Receives at most `count` bytes; 0 at the end. If it `keeps` them, they also stay in the socket. The
  /// corresponding C function is `recv`.
  @inline(__always)
  static func receive(
    _ fd: Int32, _ to: UnsafeMutableRawPointer, _ count: Int, keeps: Bool = false
  ) throws(SystemError) -> Int {
    try retrying("recv") {
      attempt(.receive, count) { clinux_receive(fd, to, SystemScript.bounded(count), keeps ? 1 : 0) }
    }
  }

  /// TCP: makes the coming close a reset, or an end again. The corresponding C function is `setsockopt` with
  /// SO_LINGER.
  static func setReset(_ fd: Int32, _ resets: Bool) { _ = clinux_reset_on_close(fd, resets ? 1 : 0) }

  /// TCP: acknowledges now what has come, instead of with the next bytes that are sent or after 40 ms. The
  /// corresponding C function is `setsockopt` with TCP_QUICKACK.
  static func acknowledge(_ fd: Int32) { try? set(fd, Int32(IPPROTO_TCP), TCP_QUICKACK, 1) }

  /// Does not report input below this many bytes. The corresponding C function is `setsockopt` with
  /// SO_RCVLOWAT.
  static func setLowWater(_ fd: Int32, _ bytes: Int32) { try? set(fd, SOL_SOCKET, SO_RCVLOWAT, bytes) }

  /// Whether bytes wait to be received. The corresponding C function is `recv` with MSG_PEEK.
  static func hasInput(_ fd: Int32) -> Bool {
    var byte: UInt8 = 0
    return recv(fd, &byte, 1, Int32(MSG_PEEK)) > 0
  }

  /// Sends at most `count` bytes, never raising SIGPIPE; uses write for anything that is not a socket (a CGI
  /// program's standard output). The corresponding C functions are `send` and `write`.
  /// If something `follows` at once, even the end of the stream, it leaves together with the last bytes.
  @inline(__always)
  static func send(
    _ fd: Int32, _ from: UnsafeRawPointer, _ count: Int, follows: Bool = false
  ) throws(SystemError) -> Int {
    try retrying("send") {
      attempt(.send, count) { clinux_send(fd, from, SystemScript.bounded(count), follows ? 1 : 0) }
    }
  }

  /// Reads from any descriptor. The corresponding C function is `read`.
  package static func read(
    _ fd: Int32, _ to: UnsafeMutableRawPointer, _ count: Int
  ) throws(SystemError) -> Int {
    try retrying("read") { Glibc.read(fd, to, count) }
  }

  /// Sends two pieces in one call. The corresponding C function is `sendmsg`.
  static func send(
    _ fd: Int32, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
  ) throws(SystemError) -> Int {
    try retrying("sendmsg") {
      attempt(.send, first.count + second.count) {
        clinux_send2(
          fd, first.baseAddress, SystemScript.bounded(first.count), second.baseAddress,
          SystemScript.bounded(first.count + second.count) - SystemScript.bounded(first.count))
      }
    }
  }

  /// Sends bytes of a file. The corresponding C function is `sendfile`.
  static func sendFile(
    _ fd: Int32, _ file: Int32, _ offset: inout Int64, _ count: Int
  ) throws(SystemError) -> Int {
    var place = off_t(offset)
    defer { offset = Int64(place) }
    return try retrying("sendfile") {
      attempt(.send, count) { Int(clinux_sendfile(fd, file, &place, SystemScript.bounded(count))) }
    }
  }

  /// Accepts a connection, non-blocking and closed on exec. The corresponding C function is `accept4`.
  static func accept(_ fd: Int32, _ peer: inout sockaddr_storage) throws(SystemError) -> Int32 {
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return Int32(
      try retrying("accept4") { attempt(.accept, 0) { Int(clinux_accept(fd, &peer, &length)) } })
  }

  /// The corresponding C function is `socket`.
  static func socket(family: Int32) throws(SystemError) -> Int32 {
    Int32(try retrying("socket") { Int(clinux_socket(family)) })
  }

  /// The corresponding C function is `bind`.
  static func bind(_ fd: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) throws(SystemError) {
    _ = try retrying("bind") { Int(Glibc.bind(fd, address, length)) }
  }

  /// The corresponding C function is `connect`.
  static func connect(
    _ fd: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t
  ) throws(SystemError) {
    _ = try retrying("connect") { Int(Glibc.connect(fd, address, length)) }
  }

  /// The corresponding C function is `listen`.
  static func listen(_ fd: Int32, backlog: Int32) throws(SystemError) {
    _ = try retrying("listen") { Int(Glibc.listen(fd, backlog)) }
  }

  /// Sets an option of type int. The corresponding C function is `setsockopt`.
  static func set(_ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32) throws(SystemError) {
    var value = value
    let size = socklen_t(MemoryLayout<Int32>.size)
    _ = try retrying("setsockopt") { Int(setsockopt(fd, level, option, &value, size)) }
  }

  /// Bytes that leave in one segment; 0 for a socket without segments (unix). The corresponding C function is
  /// `getsockopt` with TCP_MAXSEG.
  static func segmentBytes(_ fd: Int32) -> Int {
    Int((try? get(fd, Int32(IPPROTO_TCP), TCP_MAXSEG)) ?? 0)
  }

  /// TCP: holds bytes back until the sending side ends. The corresponding C function is `setsockopt` with
  /// TCP_CORK; other sockets do not have it.
  @inline(never)
  static func cork(_ fd: Int32) { try? set(fd, Int32(IPPROTO_TCP), TCP_CORK, 1) }

  /// Reads an option of type int. The corresponding C function is `getsockopt`.
  static func get(_ fd: Int32, _ level: Int32, _ option: Int32) throws(SystemError) -> Int32 {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    _ = try retrying("getsockopt") { Int(getsockopt(fd, level, option, &value, &size)) }
    return value
  }

  /// The socket's own address. The corresponding C function is `getsockname`.
  static func localAddress(_ fd: Int32) throws(SystemError) -> sockaddr_storage {
    var address = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    _ = try retrying("getsockname") {
      withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Int(getsockname(fd, $0, &length)) }
      }
    }
    return address
  }

  /// Ends both sides, whoever else holds the socket. The corresponding C function is `shutdown`; it fails if
  /// the peer is gone, which does no harm.
  static func shutdown(_ fd: Int32) { _ = Glibc.shutdown(fd, Int32(SHUT_RDWR)) }

  /// Breaks a TCP connection off, but keeps the descriptor: the peer gets a reset. The corresponding C
  /// function is `connect` with AF_UNSPEC.
  static func reset(_ fd: Int32) {
    var nowhere = sockaddr()
    nowhere.sa_family = sa_family_t(AF_UNSPEC)
    _ = Glibc.connect(fd, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
  }

  /// Replaces a socket by one without a peer; the old one is closed as soon as no call uses it any more, and
  /// the descriptor stays. The corresponding C functions are `socket` and `dup3`.
  static func sever(_ fd: Int32) throws(SystemError) {
    let nobody = try socket(family: AF_UNIX)
    defer { close(nobody) }
    _ = try retrying("dup3") { Int(clinux_put_in_place(nobody, fd)) }
  }

  /// Ends the sending side. The corresponding C function is `shutdown` with SHUT_WR.
  static func shutdownWriting(_ fd: Int32) throws(SystemError) {
    _ = try retrying("shutdown") { Int(Glibc.shutdown(fd, Int32(SHUT_WR))) }
  }

  // MARK: Waiting

  /// The corresponding C function is `epoll_create1`.
  static func epollCreate() throws(SystemError) -> Int32 {
    own(Int32(try retrying("epoll_create1") { Int(epoll_create1(Int32(EPOLL_CLOEXEC))) }))
  }

  /// The corresponding C function is `epoll_ctl`.
  static func epollControl(
    _ epoll: Int32, _ operation: Int32, _ fd: Int32, _ events: UInt32, _ token: UInt64
  ) throws(SystemError) {
    _ = try retrying("epoll_ctl") { Int(clinux_epoll_ctl(epoll, operation, fd, events, token)) }
  }

  /// Waits for events; 0 when the time (milliseconds, -1 for ever) is over or a signal came.
  /// The corresponding C function is `epoll_wait`.
  static func epollWait(
    _ epoll: Int32, _ events: UnsafeMutablePointer<epoll_event>, _ capacity: Int32, milliseconds: Int32
  ) throws(SystemError) -> Int {
    let count = attempt(.wait, 0) { Int(clinux_epoll_wait(epoll, events, capacity, milliseconds)) }
    if count >= 0 { return count }
    if errno == EINTR { return 0 }
    throw SystemError("epoll_wait")
  }

  // MARK: io_uring

  /// The call that drives a ring.
  static let ringCall: StaticString = "io_uring_enter"

  /// Makes a ring for the calling thread, which rings `bell`, an eventfd; ENOSYS, EPERM or EINVAL if the
  /// kernel has none, forbids it or is too old. The corresponding calls are `io_uring_setup` and
  /// `io_uring_register`.
  static func openRing(
    _ ring: UnsafeMutablePointer<clinux_ring>, entries: UInt32, completions: UInt32, blocks: UInt32,
    bell: Int32
  ) throws(SystemError) {
    guard clinux_ring_open(ring, entries, completions, blocks, bell) == 0 else {
      throw SystemError("io_uring_setup")
    }
  }

  /// Submits what was prepared, and does the pending work; never waits. The corresponding call is
  /// `io_uring_enter`.
  @inline(__always)
  static func enterRing(_ ring: UnsafeMutablePointer<clinux_ring>) throws(SystemError) {
    if clinux_ring_enter(ring) >= 0 { return }
    // A signal came, or completions have to be taken first.
    if errno == EINTR || errno == EBUSY || errno == EAGAIN { return }
    throw SystemError(ringCall)
  }

  /// Submits what was prepared, but receives nothing. The corresponding call is `io_uring_enter`.
  static func submitRing(_ ring: UnsafeMutablePointer<clinux_ring>) throws(SystemError) {
    _ = try retrying(ringCall) { Int(clinux_ring_submit(ring)) }
  }

  /// Waits until a single descriptor can be written; false when the time is over.
  /// The corresponding C function is `poll`.
  static func waitWritable(_ fd: Int32, milliseconds: Int32) throws(SystemError) -> Bool {
    var entry = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
    return try retrying("poll") { Int(poll(&entry, 1, milliseconds)) } > 0
  }

  /// A counter that wakes threads that wait for it. The corresponding C function is `eventfd`.
  static func eventDescriptor(blocking: Bool) throws(SystemError) -> Int32 {
    own(
      Int32(
        try retrying("eventfd") { Int(eventfd(0, Int32(EFD_CLOEXEC) | (blocking ? 0 : Int32(EFD_NONBLOCK)))) }
      ))
  }

  /// Wakes a thread that waits for an eventfd. The corresponding C function is `eventfd_write`.
  static func signalEvent(_ fd: Int32) { _ = eventfd_write(fd, 1) }

  /// Waits for a blocking eventfd and clears it. The corresponding C function is `eventfd_read`.
  static func awaitEvent(_ fd: Int32) {
    var value: eventfd_t = 0
    while eventfd_read(fd, &value) < 0, errno == EINTR {}
  }

  /// Clears an eventfd. The corresponding C function is `eventfd_read`.
  static func clearEvent(_ fd: Int32) {
    var value: eventfd_t = 0
    _ = eventfd_read(fd, &value)
  }

  /// Lets other threads run. The corresponding C function is `sched_yield`.
  static func yieldThread() { _ = sched_yield() }

  /// Size of an open file in bytes.
  static func fileSize(_ fd: Int32) throws(SystemError) -> Int64 { Int64(try System.status(fd).st_size) }

  /// The corresponding C function is `usleep`.
  package static func pause(microseconds: UInt32) { _ = usleep(microseconds) }

  /// Starts a thread that nobody joins. The corresponding C function is `pthread_create`.
  package static func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    final class Start {
      let body: @Sendable () -> Void
      init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let start = Unmanaged.passRetained(Start(body))
    var thread = pthread_t()
    let result = attempt(.startThread, 0) {
      let code = pthread_create(
        &thread, nil,
        { argument in
          let stack = clinux_begin_crash_stack()
          Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue().body()
          clinux_end_crash_stack(stack)
          return nil
        }, start.toOpaque())
      return code == 0 ? 0 : -1
    }
    if result != 0 { start.release() } else { pthread_detach(thread) }
    return result == 0
  }

  /// Monotonic nanoseconds. The corresponding C function is `clock_gettime`.
  @inline(__always)
  package static func now() -> UInt64 { clinux_monotonic_ns() }

  // MARK: Files

  /// The corresponding C function is `close`; Linux frees the descriptor whatever it answers.
  package static func close(_ fd: Int32) {
    clinux_disown(fd)
    _ = Glibc.close(fd)
  }

  /// Keeps the descriptor from copies of the process that an application makes by fork().
  package static func own(_ fd: Int32) -> Int32 {
    clinux_own(fd)
    return fd
  }

  /// An unnamed file in `directory`. The corresponding C function is `open` with O_TMPFILE.
  static func unnamedFile(in directory: String) throws(SystemError) -> Int32 {
    own(Int32(try retrying("open") { Int(clinux_unnamed_file(directory)) }))
  }

  /// Writes all of the bytes. The corresponding C function is `write`.
  package static func writeAll(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      done += try retrying("write") {
        attempt(.write, rest.count) { write(fd, rest.baseAddress, SystemScript.bounded(rest.count)) }
      }
    }
  }

  /// The same for an array.
  static func writeAll(_ fd: Int32, _ bytes: [UInt8]) throws(SystemError) {
    try bytes.withUnsafeBufferPointer { buffer throws(SystemError) in
      try writeAll(fd, UnsafeRawBufferPointer(buffer))
    }
  }

  /// Reads at an offset. The corresponding C function is `pread`.
  static func read(
    _ fd: Int32, _ to: UnsafeMutableRawPointer, _ count: Int, at offset: Int64
  ) throws(SystemError) -> Int {
    try retrying("pread") { pread(fd, to, count, off_t(offset)) }
  }

  /// Maps a file for reading, followed by at least one zero byte. The corresponding C function is `mmap`.
  static func mapFile(_ fd: Int32, _ count: Int) throws(SystemError) -> UnsafeRawPointer {
    let room = mmap(nil, count + 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let room, room != MAP_FAILED else { throw SystemError("mmap") }
    let address = mmap(room, count, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0)
    guard address != MAP_FAILED else {
      let error = SystemError("mmap")
      munmap(room, count + 1)
      throw error
    }
    return UnsafeRawPointer(room)
  }

  /// Gives back what `mapFile` has mapped for as many bytes: the zero byte behind them too, which has a page
  /// of its own where they fill theirs. The corresponding C function is `munmap`.
  static func unmapFile(_ address: UnsafeRawPointer, _ count: Int) { unmap(address, count + 1) }

  /// The corresponding C function is `munmap`.
  package static func unmap(_ address: UnsafeRawPointer, _ count: Int) {
    _ = munmap(UnsafeMutableRawPointer(mutating: address), count)
  }

  /// Whether the name is a socket's. The corresponding C function is `lstat`.
  static func isSocket(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
  }

  /// Why no socket can be bound at a path. The corresponding C function is `lstat`.
  static func socketPlace(_ path: String, _ error: Int32) -> SocketPlace {
    SocketPlace(rawValue: clinux_socket_place(path, error)) ?? .unknown
  }

  /// Opens the null device where a standard descriptor is closed. The corresponding C function is `open`.
  static func fillStandard() throws(SystemError) {
    if clinux_fill_standard() != 0 { throw SystemError("open") }
  }

  /// Whether the descriptor is a socket. The corresponding C function is `getsockopt` with SO_TYPE.
  static func isSocket(_ fd: Int32) -> Bool { (try? get(fd, SOL_SOCKET, SO_TYPE)) != nil }

  /// Makes a file, opened for appending, the standard error. The corresponding C function is `dup2`.
  static func redirectErrors(to path: String) throws(SystemError) {
    let fd = try openGuarded(path, O_WRONLY | O_CREAT | O_APPEND, 0o640)
    defer { close(fd) }
    _ = try retrying("dup2") { Int(dup2(fd, STDERR_FILENO)) }
    LogSink.shared.renew()
  }

  /// The corresponding C function is `fcntl` with F_SETFL.
  static func setNonBlocking(_ fd: Int32) throws(SystemError) {
    _ = try retrying("fcntl") { Int(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)) }
  }
}
