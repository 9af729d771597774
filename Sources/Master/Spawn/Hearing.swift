import Config
import Control
import Glibc
import Posix

/// How much somebody says to the master. A worker says a handful of things in its life; one that says
/// thousands in a second is broken, or held by somebody else, and would keep the master from its work.
struct Hearing {
  private var second: UInt64 = 0
  private var heard = 0
  /// It has said something that nobody says; one line of the log is enough.
  private var hasMisspoken = false

  /// Something is said; false when that is too much.
  mutating func admits(at now: UInt64, most: Int = Limits.messagesPerSecond) -> Bool {
    if second != now / 1_000_000_000 { (second, heard) = (now / 1_000_000_000, 0) }
    heard += 1
    return heard <= most
  }

  /// What was said is no report; true the first time.
  mutating func misspeaks() -> Bool {
    defer { hasMisspoken = true }
    return !hasMisspoken
  }
}

extension Master {
  /// What a process says that has little to say: nil for nothing, at its end, and from then on for one that
  /// says too much.
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
