import CLinux
import Config
import Glibc
import Posix

/// The name of a socket that takes datagrams.
struct SocketName {
  private(set) var storage = sockaddr_storage()
  private(set) var length: socklen_t = 0
  let family: Int32

  /// The name of an address. Asks no resolver, since nothing may wait here: a host is a number, or
  /// `localhost`, which is 127.0.0.1. The corresponding C function is `inet_pton`.
  init(_ address: Address) throws(SystemError) {
    switch address {
    case .unix(let path):
      family = AF_UNIX
      try setPath(Array(path.utf8))
    case .abstract(let name):
      family = AF_UNIX
      try setPath([0] + Array(name.utf8))
    case .inet(let host, let port) where host.utf8.contains(UInt8(ascii: ":")):
      family = AF_INET6
      var name = sockaddr_in6()
      (name.sin6_family, name.sin6_port) = (sa_family_t(AF_INET6), port.bigEndian)
      guard inet_pton(AF_INET6, host, &name.sin6_addr) == 1 else {
        throw SystemError("inet_pton", EADDRNOTAVAIL)
      }
      store(name)
    case .inet(let host, let port):
      family = AF_INET
      var name = sockaddr_in()
      (name.sin_family, name.sin_port) = (sa_family_t(AF_INET), port.bigEndian)
      let own = host.isEmpty || host == "localhost"
      guard inet_pton(AF_INET, own ? "127.0.0.1" : host, &name.sin_addr) == 1 else {
        throw SystemError("inet_pton", EADDRNOTAVAIL)
      }
      store(name)
    case .descriptor: throw SystemError("sendto", EADDRNOTAVAIL)
    }
  }

  private mutating func store<Name>(_ name: Name) {
    length = socklen_t(MemoryLayout<Name>.size)
    withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: name, as: Name.self) }
  }

  private mutating func setPath(_ bytes: [UInt8]) throws(SystemError) {
    var name = sockaddr_un()
    guard bytes.count < MemoryLayout.size(ofValue: name.sun_path) else {
      throw SystemError("sendto", ENAMETOOLONG)
    }
    name.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
    // An abstract name ends with its last byte, a path with a NUL.
    let end = bytes.first == 0 ? bytes.count : bytes.count + 1
    length = socklen_t(MemoryLayout.offset(of: \sockaddr_un.sun_path)! + end)
    withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: name, as: sockaddr_un.self) }
  }
}

/// System calls of the process that distributes lines, and of the master for it. None waits.
extension System {
  /// A pipe: its ends, numbered above the descriptors that children get.
  static func pipe() throws(SystemError) -> (read: Int32, write: Int32) {
    let ends = try Pipe.make()
    defer { for end in [ends.reading, ends.writing] { close(end) } }
    // As large as the kernel allows: lines that do not fit wait in the writers' own memory.
    _ = clinux_pipe_size(ends.writing, 1 << 20)
    let result = (read: try duplicate(ends.reading), write: try duplicate(ends.writing))
    try setNonBlocking(result.read)
    return result
  }

  /// The corresponding C function is `fcntl` with F_SETFL.
  static func setNonBlocking(_ fd: Int32) throws(SystemError) {
    _ = try check("fcntl", fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
  }

  /// The same, if the system supports it.
  static func tryNonBlocking(_ fd: Int32) { try? setNonBlocking(fd) }

  /// Reads from a pipe: the number of bytes, 0 at its end, -1 when nothing is there. C function: `read`.
  static func readPipe(_ fd: Int32, _ buffer: inout [UInt8]) -> Int {
    let count = read(fd, &buffer, buffer.count)
    return count < 0 ? (errno == EAGAIN || errno == EINTR ? -1 : 0) : count
  }

  /// Writes as much as is taken at once: 0 when nothing is, -1 with errno. The corresponding C function is
  /// `write`.
  static func append(_ fd: Int32, _ bytes: [UInt8]) -> Int {
    let count = Glibc.write(fd, bytes, bytes.count)
    return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : count
  }

  /// A socket for datagrams. The corresponding C function is `socket`.
  static func datagramSocket(_ name: SocketName) throws(SystemError) -> Int32 {
    let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    return try check("socket", socket(name.family, kind, 0))
  }

  /// Whether a name can be sent to; 0, or errno. The corresponding C function is `connect`.
  static func reach(_ name: SocketName) -> Int32 {
    guard let fd = try? datagramSocket(name) else { return 0 }
    defer { close(fd) }
    let result = withUnsafePointer(to: name.storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(fd, $0, name.length) }
    }
    return result < 0 ? errno : 0
  }

  /// Sends a datagram to a name; 0, or errno. The corresponding C function is `sendto`.
  static func sendDatagram(_ fd: Int32, _ bytes: [UInt8], to name: SocketName?) -> Int32 {
    guard let name else { return ENOTCONN }
    let length = name.length
    let count = withUnsafePointer(to: name.storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(fd, bytes, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL), $0, length)
      }
    }
    return count < 0 ? errno : 0
  }

  /// Opens a log for appending, or a named pipe that has a reader, without waiting for anybody. The
  /// corresponding C function is `open`.
  static func openLogEnd(_ path: String) throws(SystemError) -> Int32 {
    let flags = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC
    let fd = clinux_open_guarded(path, flags, 0o640)
    return try check("open", fd)
  }

  /// Bytes of a file; 0 for anything else. The corresponding C function is `fstat`.
  static func size(_ fd: Int32) -> Int64 {
    var status = stat()
    guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return 0 }
    return Int64(status.st_size)
  }

  /// Renames a log that is open, but no other file in its place (`clinux_rename_guarded`).
  static func rename(_ file: Int32, _ path: String, to name: String) throws(SystemError) {
    _ = try check("rename", clinux_rename_guarded(file, path, name))
  }

  /// An unused name derived from this one.
  static func unusedName(_ name: String) -> String {
    var (result, number) = (name, 0)
    while exists(result) {
      number += 1
      result = "\(name).\(number)"
    }
    return result
  }

  /// Puts a descriptor in the place of standard error. The corresponding C function is `dup2`.
  static func becomeErrors(_ fd: Int32) {
    _ = dup2(fd, STDERR_FILENO)
    LogSink.shared.renew()
  }

  /// The next packet, and the descriptor that came along or -1. The corresponding C function is `recvmsg`.
  static func receiveGift(_ fd: Int32) throws(SystemError) -> (bytes: [UInt8], descriptor: Int32) {
    var descriptor: Int32 = -1
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = clinux_receive_packet(fd, &buffer, buffer.count, &descriptor)
    if count < 0 { throw SystemError("recvmsg") }
    return (Array(buffer[..<count]), descriptor)
  }

  /// The corresponding C function is `signal` with SIG_IGN.
  static func ignoreSignals(_ numbers: [Int32]) { for number in numbers { Glibc.signal(number, SIG_IGN) } }

  /// Waits until some of the entries have something to do, for at most this long. The corresponding C
  /// function is `poll`.
  static func wait(_ entries: inout [pollfd], milliseconds: Int32) {
    _ = poll(&entries, nfds_t(entries.count), milliseconds)
  }

  /// Seconds since 1970, and the microseconds of the second. The corresponding C function is `clock_gettime`.
  static func wallClock() -> (seconds: Int, microseconds: Int) {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return (now.tv_sec, now.tv_nsec / 1000)
  }

  /// The time, formatted by a pattern. The corresponding C function is `strftime`.
  static func date(_ pattern: String, isUTC: Bool = false) -> String {
    var (now, parts) = (time(nil), tm())
    if isUTC { gmtime_r(&now, &parts) } else { localtime_r(&now, &parts) }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
      let count = strftime(text.baseAddress!, text.count, pattern, &parts)
      return String(decoding: UnsafeRawBufferPointer(start: text.baseAddress, count: count), as: UTF8.self)
    }
  }

  /// This machine's name. The corresponding C function is `gethostname`.
  static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
