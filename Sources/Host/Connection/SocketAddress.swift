import Config
import Glibc

/// An `Address` as the kernel takes it.
struct SocketAddress {
  private var storage = sockaddr_storage()
  private var length = socklen_t(0)
  let family: Int32

  init(_ address: Address) {
    switch address {
    case .inet(let host, let port) where host.utf8.contains(UInt8(ascii: ":")):
      family = AF_INET6
      var inet = sockaddr_in6()
      inet.sin6_family = sa_family_t(AF_INET6)
      inet.sin6_port = port.bigEndian
      inet_pton(AF_INET6, host, &inet.sin6_addr)
      store(inet)
    case .inet(let host, let port):
      family = AF_INET
      var inet = sockaddr_in()
      inet.sin_family = sa_family_t(AF_INET)
      inet.sin_port = port.bigEndian
      inet.sin_addr.s_addr = 0
      if !host.isEmpty { inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host, &inet.sin_addr) }
      store(inet)
    case .unix(let path):
      family = AF_UNIX
      store(Array(path.utf8) + [0])
    case .abstract(let name):
      family = AF_UNIX
      store([0] + Array(name.utf8))
    case .descriptor:
      // Nobody binds or connects to it: the socket exists already.
      family = AF_UNSPEC
    }
  }

  private mutating func store<Value>(_ value: Value) {
    length = socklen_t(MemoryLayout<Value>.size)
    withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: value, as: Value.self) }
  }

  /// A unix address: family and name; an abstract one ends with its name.
  private mutating func store(_ name: [UInt8]) {
    let start = MemoryLayout<sa_family_t>.size
    length = socklen_t(start + name.count)
    storage.ss_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &storage) { raw in
      for (index, byte) in name.enumerated() { raw[start + index] = byte }
    }
  }

  func withPointer(
    _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Void
  ) throws(SystemError) {
    let copy = storage
    try withUnsafePointer(to: copy) { pointer throws(SystemError) in
      try body(UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self), length)
    }
  }

  /// The address a socket is bound to: `asked` with its port filled in, or read back whole.
  static func bound(_ fd: Int32, as asked: Address?) -> Address {
    guard let storage = try? System.localAddress(fd) else { return asked ?? .abstract(name: "?") }
    return withUnsafeBytes(of: storage) { raw in
      switch Int32(storage.ss_family) {
      case AF_INET:
        let port = UInt16(bigEndian: raw.loadUnaligned(as: sockaddr_in.self).sin_port)
        if case .inet(let host, _) = asked { return .inet(host: host, port: port) }
        return .inet(host: text(storage), port: port)
      case AF_INET6:
        let port = UInt16(bigEndian: raw.loadUnaligned(as: sockaddr_in6.self).sin6_port)
        if case .inet(let host, _) = asked { return .inet(host: host, port: port) }
        return .inet(host: text(storage), port: port)
      default: return asked ?? unixName(raw)
      }
    }
  }

  private static func text(_ storage: sockaddr_storage) -> String {
    PeerAddress(storage).text
  }

  private static func unixName(_ raw: UnsafeRawBufferPointer) -> Address {
    let path = raw[2..<110].prefix { $0 != 0 }
    return path.isEmpty ? .abstract(name: "inherited") : .unix(path: String(decoding: path, as: UTF8.self))
  }
}

/// The owner of a socket file.
enum SocketFile {
  /// Gives an owner the file that this process has just made, and nothing that took its place.
  static func give(_ path: String, to owner: Owner) throws(SystemError) {
    let user = try owner.user.map { text throws(SystemError) in
      try number(text, System.account(named: text)?.user, "getpwnam")
    }
    let group = try owner.group.map { text throws(SystemError) in
      try number(text, System.group(named: text), "getgrnam")
    }
    let file = try System.openSocketFile(path)
    defer { System.close(file) }
    try System.give(file, user ?? uid_t.max, group ?? gid_t.max)
  }

  private static func number(
    _ text: String, _ known: UInt32?, _ call: StaticString
  ) throws(SystemError) -> UInt32 {
    guard let number = UInt32(text) ?? known else { throw SystemError(call, ENOENT) }
    return number
  }
}
