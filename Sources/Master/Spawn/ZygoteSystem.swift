import CLinux
import Control
import Glibc

/// System calls about processes that another one forks.
extension System {
  /// The most descriptors that one packet carries.
  static let mostDescriptors = CLINUX_DESCRIPTORS

  /// Sends one packet with descriptors. The corresponding C function is `sendmsg` with SCM_RIGHTS.
  static func sendPacket(_ fd: Int32, _ bytes: [UInt8], descriptors: [Int32]) throws(SystemError) {
    let sent = clinux_send_descriptors(fd, bytes, bytes.count, descriptors, Int32(descriptors.count))
    if sent < 0 { throw SystemError("sendmsg") }
  }

  /// Has the kernel say with each packet who has sent it. The corresponding C function is `setsockopt` with
  /// SO_PASSCRED.
  static func tellSender(_ fd: Int32) throws(SystemError) {
    _ = try check("setsockopt", clinux_tell_sender(fd))
  }

  /// The next packet and the process that has sent it, as the kernel says; empty when the other end is gone.
  /// The corresponding C function is `recvmsg` with SCM_CREDENTIALS.
  static func receivePacketFrom(_ fd: Int32) throws(SystemError) -> (bytes: [UInt8], sender: pid_t) {
    var buffer = [UInt8](repeating: 0, count: Message.packetBytes)
    var sender: pid_t = 0
    let count = clinux_receive_from(fd, &buffer, buffer.count, &sender)
    if count < 0 { throw SystemError("recvmsg") }
    return (Array(buffer[..<count]), sender)
  }

  /// Processes below this one become its children when their parents end. The corresponding C function is
  /// `prctl` with PR_SET_CHILD_SUBREAPER.
  static func adoptOrphans() throws(SystemError) { _ = try check("prctl", clinux_adopt_orphans()) }

  /// Whether a process is a child that has not been waited for. The corresponding C function is `waitid`.
  static func isChild(_ pid: pid_t) -> Bool { clinux_is_child(pid) != 0 }

  /// A child that has ended and has not been waited for. The corresponding C function is `waitid`.
  static var endedChild: pid_t? {
    let pid = clinux_ended_child()
    return pid > 0 ? pid : nil
  }
}
