import Config
import Control
import Glibc
import Posix

/// Counts how much somebody says to the master. A worker sends a handful of messages in its life; one that
/// sends thousands in a second is broken, or controlled by somebody else, and would keep the master from its
/// work.
struct Hearing {
  private var second: UInt64 = 0
  private var heard = 0
  /// It has sent something that is no message; one log line is enough.
  private var hasMisspoken = false

  /// Counts a message; false when there are too many.
  mutating func admits(at now: UInt64, most: Int = Limits.messagesPerSecond) -> Bool {
    if second != now / 1_000_000_000 { (second, heard) = (now / 1_000_000_000, 0) }
    heard += 1
    return heard <= most
  }

  /// The message was no report; true the first time.
  mutating func misspeaks() -> Bool {
    defer { hasMisspoken = true }
    return !hasMisspoken
  }
}

extension Master {
  /// Receives a message of a process that has little to say: nil if there is none, at its end, and for good
  /// once it has sent too many.
  func hear(_ link: Int32, _ hearing: inout Hearing) -> Message? {
    var bytes: [UInt8] = []
    do throws(SystemError) {
      bytes = try System.receivePacket(link)
      if bytes.isEmpty { hearNoMore(link) }
    } catch {
      if error.isMomentary { return nil }
      if error.code != EMSGSIZE { hearNoMore(link) }
    }
    guard hearing.admits(at: System.now(), most: Limits.messagesOfHelpersPerSecond) else {
      hearNoMore(link)
      MasterLog.error(
        "a process of the server's said more than \(Limits.messagesOfHelpersPerSecond) things within a "
          + "second, and is not heard any more")
      return nil
    }
    return Message(bytes)
  }
}
