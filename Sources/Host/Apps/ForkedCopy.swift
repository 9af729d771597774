import CLinux
import CNSGI

/// A copy of this process that code of an application has made by fork(). It belongs to the application, and
/// is never a second server: descriptors of the host are closed in it, functions of the host answer
/// NSGI_MISUSE, and when the function of the application returns to the host, the copy ends.
package enum ForkedCopy {
  /// Whether this process is such a copy.
  @inline(__always) package static var isThis: Bool { clinux_is_copy() != 0 }

  /// Marks copies that are made from now on. Call it before anything of an application is loaded.
  package static func watch() throws(SystemError) {
    guard clinux_watch_forks() == 0 else { throw SystemError("pthread_atfork") }
  }

  /// Call it after each function of an application: if a copy has returned, this ends it.
  ///
  /// - Parameter result: an nsgi_result; the exit status is 0 for success, otherwise 1.
  @inline(__always)
  package static func end(_ result: Int32 = 0) { if isThis { clinux_end_copy(result < 0 ? 1 : 0) } }

  /// What a function of the host answers if there is no such exchange: it is over, or this is a copy.
  package static var absent: Int32 { isThis ? NSGI_MISUSE.rawValue : NSGI_GONE.rawValue }
}
