import CLinux
import Config
import Control
import Glibc

/// Why a socket cannot be listened on; the operator's fault, exit 1.
enum ListenError: Error, CustomStringConvertible {
  /// The system refuses it; the owner that its file should have had.
  case refused(Address, SystemError, Owner? = nil)
  /// Another listener of this server already uses the place.
  case takenByOwn(Address, Address)
  case notListening(Int32)

  var description: String {
    switch self {
    case .refused(let address, let error, let owner):
      ListenError.ownership(error, owner) ?? ListenError.sentence(address, error)
    case .takenByOwn(let address, let other):
      "\(address) and \(other) of this server cannot both be had; take one of them out"
    case .notListening(let fd):
      "descriptor \(fd) is not a listening socket; start the server through its launcher"
    }
  }

  private static func sentence(_ address: Address, _ error: SystemError) -> String {
    if error.code == ELOOP {
      return "\(address) cannot be bound (\(System.guardedReason(error))); choose a directory that is yours "
        + "alone"
    }
    switch address {
    case .unix(let path):
      if let sentence = System.socketPlace(path, error.code).sentence(path) { return sentence }
    case .inet(_, let port) where error.code == EACCES && port < 1024:
      return "\(address) cannot be bound: ports below 1024 are for root and for CAP_NET_BIND_SERVICE; choose "
        + "a port above 1023, or let systemd hand the socket over"
    case .inet where error.code == EADDRNOTAVAIL:
      return "\(address) cannot be bound (\(error.reason)); choose an address that this machine has"
    case .inet where error.code == EAFNOSUPPORT:
      return "\(address) cannot be bound: this machine has IPv6 switched off; choose an IPv4 address"
    case .inet, .abstract, .descriptor: break
    }
    return error.code == EADDRINUSE
      ? "\(address) is in use by another server; stop that one or choose another address"
      : "\(address) cannot be bound (\(error)); check the address"
  }

  /// What is wrong with `--chown-socket`; nil if something else is wrong.
  private static func ownership(_ error: SystemError, _ owner: Owner?) -> String? {
    guard let owner else { return nil }
    switch "\(error.call)" {
    case "getpwnam": return "--chown-socket: there is no user \(owner.user ?? ""); name one of /etc/passwd"
    case "getgrnam": return "--chown-socket: there is no group \(owner.group ?? ""); name one of /etc/group"
    case let call where call.hasSuffix("chown") || call.hasSuffix("chownat"):
      return "--chown-socket: the socket cannot be given away (\(error.reason)); start the server as root, "
        + "or leave the option out"
    default: return nil
    }
  }
}

extension Address {
  /// Whether two listeners of one server cannot both be bound, although their addresses differ.
  func collides(with other: Address) -> Bool {
    guard case .inet(let host, let port) = self, case .inet(let otherHost, port) = other, port != 0 else {
      return false
    }
    return host == otherHost || host.isEmpty || otherHost.isEmpty
  }
}
