// Sockets that a test holds for the server: what systemd, spawn-fcgi or lighttpd do before they start it.
import Foundation

/// A bound socket of the test; closed with the object.
public final class ListeningSocket: Sendable {
  /// The descriptor, owned by the object.
  public let descriptor: Int32
  /// Where clients reach it.
  public let address: Address

  /// Listens at `address`; port 0 becomes a real one.
  public init(_ address: Address) throws {
    let made = socket(address.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard address.withSockaddr({ bind(made, $0, $1) }) == 0, listen(made, 64) == 0 else {
      defer { close(made) }
      throw SupportError.system(call: "bind \(address)", errno: errno)
    }
    descriptor = made
    guard case .tcp(let host, 0) = address else {
      self.address = address
      return
    }
    var bound = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &bound) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(made, $0, &length) }
    }
    self.address = .tcp(host: host, port: UInt16(bigEndian: bound.sin_port))
  }

  deinit { close(descriptor) }
}

/// A unix datagram socket that receives what sd_notify(3) sends.
public final class NotifySocket: Sendable {
  private let descriptor: Int32
  /// For NOTIFY_SOCKET.
  public let path: String

  /// Binds to `path`.
  public init(_ path: String) throws {
    self.path = path
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard Address.unix(path: path).withSockaddr({ bind(descriptor, $0, $1) }) == 0 else {
      throw SupportError.system(call: "bind \(path)", errno: errno)
    }
  }

  deinit { close(descriptor) }

  /// The next message.
  public func receive(_ deadline: Deadline = .usual) throws -> String {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, deadline.milliseconds) > 0 else {
      throw SupportError.timedOut(waitingFor: "a notification", output: "")
    }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
  }
}
