import CLinux
import Glibc

/// A system call's failure: which call, and errno.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Name of the C function.
  public let call: StaticString
  /// The value of errno.
  public let code: Int32

  public init(_ call: StaticString, _ code: Int32 = errno) {
    self.call = call
    self.code = code
  }

  /// The call would have waited (EAGAIN, EWOULDBLOCK are one number on Linux).
  public var wouldBlock: Bool { code == EAGAIN }

  /// The system's own words for the error.
  public var reason: String {
    let words = String(cString: strerror(code))
    // It is the limit of the process that is at fault, not the call.
    return code == EMFILE
      ? "\(words): the limit is \(clinux_descriptor_limit()); raise it (--max-fd, ulimit -n)" : words
  }
  public var description: String { "\(call): \(reason)" }

  public static func == (left: SystemError, right: SystemError) -> Bool {
    left.code == right.code && "\(left.call)" == "\(right.call)"
  }
}
