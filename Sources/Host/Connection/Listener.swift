import CLinux
import Config
import Glibc
import Wire

/// One bound socket and the protocol spoken on it.
struct Listener {
  let fd: Int32
  /// As the operator wrote it.
  let spoken: ListenerProtocol
  /// The protocol; with `isSniffed` only until the first bytes of a connection tell.
  let gateway: Gateway
  let isSniffed: Bool
  /// A codec in its first state, copied into each connection.
  let codec: Codec
  /// Where it is bound, as people write it; port 0 is replaced by the chosen one.
  let address: Address
  /// For SERVER_NAME when a client names no host; lives as long as the process.
  let name: Text
  /// The host of its address, or what a unix socket is called; lives as long as the process.
  let place: Text
  /// 0 for unix sockets.
  let port: UInt16
  let isTCP: Bool
  /// Which of the sockets with TLS it is, from 0; nil without.
  var securely: Int?
  /// HTTP/2 may be spoken by prior knowledge (RFC 9113 §3.3).
  let mayBeHTTP2: Bool
  /// The socket file was made by this server and is removed when it ends.
  let ownsFile: Bool

  /// What a ready line says: "http socket 127.0.0.1:8080 ready".
  var readyLine: String { "\(title) ready" }

  /// "http socket 127.0.0.1:8080".
  var title: String {
    let word =
      switch spoken {
      case .auto: "recognised"
      case .http1: "http"
      case .scgi, .uwsgi, .fastcgi, .https, .suwsgi, .redirect: spoken.rawValue
      }
    return "\(word) socket \(address)"
  }

  private init(fd: Int32, gateway: ListenerProtocol, address: Address, ownsFile: Bool, limits: Limits) {
    self.fd = fd
    spoken = gateway
    isSniffed = gateway == .auto
    mayBeHTTP2 = gateway == .http1
    self.gateway = Gateway(gateway)
    codec = Codec(self.gateway, limits: HeadLimits(limits))
    self.address = address
    self.ownsFile = ownsFile
    var host = "localhost"
    let place: String
    switch address {
    case .inet(let name, let port):
      (isTCP, self.port) = (true, port)
      if !name.isEmpty { host = name }
      place = name.isEmpty ? "0.0.0.0" : name
    case .unix(let path):
      (isTCP, self.port) = (false, 0)
      place = path
    case .abstract, .descriptor:
      (isTCP, self.port) = (false, 0)
      place = address.description
    }
    name = Listener.permanent(host)
    self.place = Listener.permanent(place)
  }

  /// A copy that lives as long as the process.
  private static func permanent(_ string: String) -> Text {
    let text = UnsafeMutablePointer<UInt8>.allocate(capacity: string.utf8.count + 1)
    for (index, byte) in (Array(string.utf8) + [0]).enumerated() { text[index] = byte }
    return Text(text, string.utf8.count)
  }

  /// Binds and listens. Replaces a socket file that nobody answers on, but not a live one.
  static func bind(
    _ settings: ListenerSettings, files: SocketFileSettings, limits: Limits
  ) throws(ListenError) -> Listener {
    let target = settings.address
    if case .descriptor(let fd) = target { return try adopt(fd, gateway: settings.gateway, limits: limits) }
    do {
      let fd = try open(target, files, limits)
      return Listener(
        fd: fd, gateway: settings.gateway, address: SocketAddress.bound(fd, as: target), ownsFile: true,
        limits: limits)
    } catch { throw .refused(target, error, files.owner) }
  }

  private static func open(
    _ target: Address, _ files: SocketFileSettings, _ limits: Limits
  ) throws(SystemError) -> Int32 {
    let address = SocketAddress(target)
    let fd = try System.socket(family: address.family)
    do throws(SystemError) {
      if case .unix(let path) = target {
        try bind(fd, address, path, files)
      } else {
        try System.set(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        if address.family == AF_INET6 { try System.set(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        try bind(fd, address)
      }
      try System.listen(fd, backlog: limits.backlog)
      return fd
    } catch {
      System.close(fd)
      throw error
    }
  }

  /// Binds to a file that does not exist or is left over; it has its mode from the first moment.
  private static func bind(
    _ fd: Int32, _ address: SocketAddress, _ path: String, _ files: SocketFileSettings
  ) throws(SystemError) {
    // Throws if another user can have made a link on the way.
    _ = try System.guardedName(path)
    try removeStale(path, address)
    if let mode = files.mode { try System.setMode(fd, mode_t(mode)) }
    try System.withUmask(files.mode == nil ? nil : 0) { () throws(SystemError) in try bind(fd, address) }
    guard let owner = files.owner else { return }
    do throws(SystemError) { try SocketFile.give(path, to: owner) } catch {
      try? System.unlinkSocket(path)
      throw error
    }
  }

  private static func bind(_ fd: Int32, _ address: SocketAddress) throws(SystemError) {
    try address.withPointer { pointer, length throws(SystemError) in try System.bind(fd, pointer, length) }
  }

  /// Takes over a socket that a launcher (lighttpd, spawn-fcgi, systemd) bound.
  static func adopt(
    _ fd: Int32, gateway: ListenerProtocol, limits: Limits
  ) throws(ListenError) -> Listener {
    guard InheritedSockets.isListening(fd) else { throw .notListening(fd) }
    // Keeps it from programs that an app starts: they would have it as their standard input, and keep the
    // address for as long as they live.
    let fd = fd == STDIN_FILENO ? (try? System.moveStandardInput()) ?? fd : fd
    System.closeOnExec(fd)
    try? System.setNonBlocking(fd)
    let address = SocketAddress.bound(fd, as: nil)
    return Listener(fd: fd, gateway: gateway, address: address, ownsFile: false, limits: limits)
  }

  /// A socket that a master bound; `ownsFile` if its file was made by this server.
  static func inherit(
    _ fd: Int32, gateway: ListenerProtocol, address: Address, ownsFile: Bool, limits: Limits
  ) -> Listener {
    Listener(fd: fd, gateway: gateway, address: address, ownsFile: ownsFile, limits: limits)
  }

  /// A killed server leaves behind a file that nobody listens on.
  private static func removeStale(_ path: String, _ address: SocketAddress) throws(SystemError) {
    let probe = try System.socket(family: AF_UNIX)
    defer { System.close(probe) }
    do {
      try address.withPointer { pointer, length throws(SystemError) in
        try System.connect(probe, pointer, length)
      }
    } catch {
      switch error.code {
      case ECONNREFUSED where System.isSocket(path): return try System.unlinkSocket(path)
      case ENOENT: return
      // A full backlog is a live server too.
      default:
        throw SystemError(
          "bind", error.code == EAGAIN ? EADDRINUSE : error.code == ECONNREFUSED ? EADDRINUSE : error.code)
      }
    }
    throw SystemError("bind", EADDRINUSE)
  }

  /// Removes the socket file, if this server made one.
  func removeFile() {
    if let path = file { try? System.unlinkSocket(path) }
  }

  /// The socket file that this server made.
  var file: String? {
    if ownsFile, case .unix(let path) = address { path } else { nil }
  }
}

extension Gateway {
  /// What is spoken first on a listener of this protocol.
  init(_ listener: ListenerProtocol) {
    self =
      switch listener {
      case .http1, .https, .redirect, .auto: .http1
      case .scgi: .scgi
      case .uwsgi, .suwsgi: .uwsgi
      case .fastcgi: .fastcgi
      }
  }
}

extension HeadLimits {
  init(_ limits: Limits) {
    self.init(
      headBytes: limits.headBytes, fields: limits.headerFields, chunkLineBytes: limits.chunkLineBytes,
      bodyBytes: limits.bodyBytes)
  }
}

extension [Listener] {
  /// Numbers the sockets with TLS, so that each knows which of them it is: the settings count them like this.
  var numbered: [Listener] {
    var count = 0
    return map { listener in
      var listener = listener
      if listener.spoken.isSealed {
        listener.securely = count
        count += 1
      }
      return listener
    }
  }
}
