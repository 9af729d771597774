import CLinux
import Glibc

/// A system call's failure: which call, and errno.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Name of the C function.
  public let call: StaticString
  /// The value of errno.
  public let code: Int32

  /// Takes errno unless a code is given; to be made before anything else can change errno.
  @inlinable
  public init(_ call: StaticString, _ code: Int32 = errno) {
    self.call = call
    self.code = code
  }

  /// The call would have waited (EAGAIN and EWOULDBLOCK are one number on Linux), or the kernel had no memory
  /// for it at the moment: make it again when the descriptor says that it is ready.
  @inlinable public var wouldBlock: Bool { code == EAGAIN || code == ENOBUFS || code == ENOMEM }

  /// The kernel was short of something for a moment: made again, the call may succeed.
  public var isMomentary: Bool { [EAGAIN, EBUSY, EINTR, ENOBUFS, ENOMEM].contains(code) }

  /// The system's own words for the error.
  public var reason: String {
    let words = String(cString: strerror(code))
    // A limit is at fault, not the call: of the process, of its user, or of files.
    return switch code {
    case EMFILE where "\(call)" == "inotify_init1":
      "\(words): this user's programs watch files in as many places as they may; raise "
        + "fs.inotify.max_user_instances (sysctl)"
    case ENOSPC where "\(call)" == "inotify_add_watch":
      "\(words): this user's programs watch as many directories as they may; raise "
        + "fs.inotify.max_user_watches (sysctl)"
    case EMFILE: "\(words): the limit is \(clinux_descriptor_limit()); raise it (--max-fd, ulimit -n)"
    case EFBIG: "\(words): raise the limit on the size of files (ulimit -f)"
    default: words
    }
  }
  public var description: String { "\(call): \(reason)" }

  public static func == (left: SystemError, right: SystemError) -> Bool {
    left.code == right.code && "\(left.call)" == "\(right.call)"
  }
}
