// A plain blocking client socket with deadlines: the tests' way to say exactly what bytes go out and when.
import Foundation
import Glibc

/// Where a socket is, written as on the server's command line.
public enum Address: Sendable, CustomStringConvertible, Equatable {
  case tcp(host: String, port: UInt16)
  case unix(path: String)
  case abstract(name: String)

  /// Reads `127.0.0.1:80`, `[::1]:80`, `/path.sock` or `@name`.
  public init?(_ text: String) {
    if text.hasPrefix("/") {
      self = .unix(path: text)
    } else if text.hasPrefix("@") {
      self = .abstract(name: String(text.dropFirst()))
    } else {
      guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...])
      else { return nil }
      let host = text[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
      self = .tcp(host: host.isEmpty ? "127.0.0.1" : host, port: port)
    }
  }

  public var description: String {
    switch self {
    case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): path
    case .abstract(let name): "@\(name)"
    }
  }

  /// The port of a TCP address; 0 for others.
  public var port: UInt16 { if case .tcp(_, let port) = self { port } else { 0 } }

  /// Calls `body` with the address as the kernel wants it.
  func withSockaddr<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    switch self {
    case .tcp(let host, let port):
      if host.contains(":") {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        inet_pton(AF_INET6, host, &address.sin6_addr)
        return Self.pointer(&address, MemoryLayout<sockaddr_in6>.size, body)
      }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      inet_pton(AF_INET, host, &address.sin_addr)
      return Self.pointer(&address, MemoryLayout<sockaddr_in>.size, body)
    case .unix(let path): return Self.withUnix(Array(path.utf8) + [0], body)
    case .abstract(let name): return Self.withUnix([0] + Array(name.utf8), body)
    }
  }

  var family: Int32 {
    if case .tcp(let host, _) = self { return host.contains(":") ? AF_INET6 : AF_INET }
    return AF_UNIX
  }

  private static func withUnix<R>(_ path: [UInt8], _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.prefix($0.count)) }
    return pointer(&address, MemoryLayout<sa_family_t>.size + path.count, body)
  }

  private static func pointer<T, R>(
    _ address: inout T, _ size: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
  ) -> R {
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(size)) }
    }
  }
}

/// One connected client socket.
public final class RawSocket {
  /// The descriptor, owned by the object; -1 once it is closed.
  public private(set) var descriptor: Int32
  /// Received, and not yet taken by `receive`.
  private var pending: [UInt8] = []

  /// Connects; a refusal is an error at once. A small `receiveBuffer` (bytes) makes a slow client.
  public init(_ address: Address, receiveBuffer: Int32? = nil) throws {
    descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SupportError.system(call: "socket", errno: errno) }
    if var size = receiveBuffer {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    // Bounds connect(2): a full backlog would hold it up for minutes.
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var code = address.withSockaddr { connect(descriptor, $0, $1) }
    // It goes on by itself, and must not be asked for again.
    if code != 0, errno == EINTR { code = Self.awaitConnection(descriptor) }
    // deinit closes the descriptor here too: a second close could hit what another thread has opened since.
    if code != 0 { throw SupportError.system(call: "connect \(address)", errno: errno) }
  }

  /// Waits for a connection that a signal has interrupted; 0, or -1 with errno.
  private static func awaitConnection(_ descriptor: Int32) -> Int32 {
    var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    var count = poll(&entry, 1, 10_000)
    while count < 0, errno == EINTR { count = poll(&entry, 1, 10_000) }
    var failure: Int32 = ETIMEDOUT
    var size = socklen_t(MemoryLayout<Int32>.size)
    if count > 0 { getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size) }
    errno = failure
    return failure == 0 ? 0 : -1
  }

  deinit { close() }

  /// Closes the socket before the object goes: a server that is to end need not linger for it.
  public func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  /// Sends all of `bytes`; false when the peer has gone before the last was taken.
  @discardableResult
  public func send(_ bytes: some Sequence<UInt8>, _ deadline: Deadline = .usual) throws -> Bool {
    let all = Array(bytes)
    var sent = 0
    while sent < all.count {
      try ready(POLLOUT, "room to send", deadline)
      let count = all[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      }
      if count < 0 {
        if errno == EAGAIN || errno == EINTR { continue }
        if errno == EPIPE || errno == ECONNRESET { return false }
        throw SupportError.system(call: "send", errno: errno)
      }
      sent += count
    }
    return true
  }

  /// Sends text.
  @discardableResult
  public func send(_ text: String, _ deadline: Deadline = .usual) throws -> Bool {
    try send(text.utf8, deadline)
  }

  /// The next bytes, at most `limit`; empty at the end of the stream. A reset is an error.
  public func receive(_ limit: Int = 65536, _ deadline: Deadline = .usual) throws -> [UInt8] {
    if !pending.isEmpty {
      let taken = Array(pending.prefix(limit))
      pending.removeFirst(taken.count)
      return taken
    }
    // A length that a peer states is no reason to have room for all of it.
    let limit = min(limit, 1 << 20)
    var buffer = [UInt8](repeating: 0, count: limit)
    while true {
      try ready(POLLIN, "bytes", deadline)
      let count = recv(descriptor, &buffer, limit, Int32(MSG_DONTWAIT))
      if count >= 0 { return Array(buffer.prefix(count)) }
      if errno != EAGAIN, errno != EINTR { throw SupportError.system(call: "recv", errno: errno) }
    }
  }

  /// So many bytes; fewer at the end of the stream.
  public func receive(exactly count: Int, _ deadline: Deadline = .usual) throws -> [UInt8] {
    var all: [UInt8] = []
    while all.count < count {
      let some = try receive(count - all.count, deadline)
      if some.isEmpty { break }
      all += some
    }
    return all
  }

  /// Puts bytes back, to be received next.
  public func putBack(_ bytes: some Collection<UInt8>) { pending.insert(contentsOf: bytes, at: 0) }

  /// Everything up to the end of the stream.
  public func receiveAll(_ deadline: Deadline = .usual) throws -> [UInt8] {
    var all: [UInt8] = []
    while true {
      let some = try receive(1 << 18, deadline)
      if some.isEmpty { return all }
      all += some
    }
  }

  /// Everything up to the end of the stream, or up to a reset, which it tells of.
  public func receiveToItsEnd(_ deadline: Deadline = .usual) throws -> (bytes: [UInt8], isReset: Bool) {
    var all: [UInt8] = []
    while true {
      do {
        let some = try receive(1 << 18, deadline)
        if some.isEmpty { return (all, false) }
        all += some
      } catch SupportError.system(call: "recv", errno: ECONNRESET) {
        return (all, true)
      }
    }
  }

  /// Receives until `text` has come; returns everything up to and with it.
  public func receive(until text: String, _ deadline: Deadline = .usual) throws -> String {
    let mark = Array(text.utf8)
    var all: [UInt8] = []
    while true {
      if let end = all.firstRange(of: mark)?.upperBound {
        putBack(all[end...])
        return String(decoding: all[..<end], as: UTF8.self)
      }
      let some = try receive(65536, deadline)
      if some.isEmpty {
        let got = String(decoding: all, as: UTF8.self)
        throw SupportError.malformedReply("stream ended before \(text): \(got)")
      }
      all += some
    }
  }

  /// Says that nothing more will be sent (FIN), and goes on receiving.
  public func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Makes the close to come a reset: the way of a client that was killed.
  public func resetOnClose() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }

  /// Bytes of the peer, or its end, have come and were not taken.
  public var hasInput: Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return !pending.isEmpty || poll(&entry, 1, 0) > 0
  }

  private func ready(_ events: Int32, _ what: String, _ deadline: Deadline) throws {
    var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    while true {
      let count = poll(&entry, 1, deadline.milliseconds)
      if count > 0 { return }
      if count == 0 { throw SupportError.timedOut(waitingFor: what, output: "") }
      if errno != EINTR { throw SupportError.system(call: "poll", errno: errno) }
    }
  }
}

/// Free TCP ports for front ends, which cannot choose one by themselves.
public enum FreePort {
  /// Ports that no outgoing connection of this machine uses as its own: a free one stays free.
  private static let range: Range<UInt16> = {
    let path = "/proc/sys/net/ipv4/ip_local_port_range"
    let words = (try? String(contentsOfFile: path, encoding: .utf8))?.split { $0.isWhitespace } ?? []
    let low = words.first.flatMap { UInt16($0) } ?? 32768
    return low > 12_000 ? 10_000..<min(low, 30_000) : 61_000..<65_535
  }()

  /// A port on 127.0.0.1 that is free at this moment.
  public static func any() throws -> UInt16 {
    for _ in 0..<200 {
      let port = UInt16.random(in: range)
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      defer { Glibc.close(descriptor) }
      let bound = Address.tcp(host: "127.0.0.1", port: port).withSockaddr { bind(descriptor, $0, $1) }
      if bound == 0 { return port }
    }
    throw SupportError.system(call: "bind", errno: EADDRINUSE)
  }
}
