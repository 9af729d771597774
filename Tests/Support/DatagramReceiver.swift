// The other end of a log that goes over the network or to a service of the system.
import Foundation

/// A socket that takes datagrams, or leaves them where they are; closed with the object.
public final class DatagramReceiver: Sendable {
  private let descriptor: Int32
  /// Where it is; a port 0 is replaced by the real one.
  public let address: Address
  /// As an option's value has it.
  public var text: String { "\(address)" }

  /// Binds a socket.
  public init(_ wanted: Address) throws {
    let made = socket(wanted.family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard wanted.withSockaddr({ bind(made, $0, $1) }) == 0 else {
      throw SupportError.system(call: "bind \(wanted)", errno: errno)
    }
    descriptor = made
    guard case .tcp(let host, 0) = wanted else {
      address = wanted
      return
    }
    var bound = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &bound) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(made, $0, &length) }
    }
    address = .tcp(host: host, port: UInt16(bigEndian: bound.sin_port))
  }

  deinit { close(descriptor) }

  /// The first datagram with a text in it; those before are dropped.
  public func receive(_ text: String, _ deadline: Deadline = .usual) throws -> String {
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&entry, 1, deadline.milliseconds) > 0 else {
        throw SupportError.timedOut(waitingFor: "a datagram with \(text)", output: "")
      }
      let count = recv(descriptor, &buffer, buffer.count, 0)
      let found = String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
      if found.contains(text) { return found }
    }
  }
}
