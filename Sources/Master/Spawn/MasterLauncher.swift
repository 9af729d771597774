import Config
import Control
import Glibc
import Posix

/// Why a master cannot be started: one sentence.
public struct LaunchFailure: Error, CustomStringConvertible {
  /// The reason, one sentence.
  public let description: String
}

/// Starts a master in a session of its own and waits for its verdict.
public enum MasterLauncher {
  /// Starts it with orders, its standard output and error going to `log`; returns its first message, nil if
  /// it ends without one.
  public static func start(_ orders: Orders, log: String) throws -> Message? {
    let paper = try System.memoryFile("orders", orders.message.bytes)
    let output: Int32
    do { output = try System.openLog(log) } catch {
      throw LaunchFailure(
        description: "the log file \(log) cannot be opened (\(System.guardedReason(error)))")
    }
    let input = try System.openNull()
    let pair = try System.packetPair()
    let map: [(Int32, Int32)] = [
      (input, 0), (output, 1), (output, 2), (pair.other, HandedDescriptor.control),
      (paper, HandedDescriptor.orders),
    ]
    _ = try Spawn(
      "/proc/self/exe", ["server", ChildRole.name, orders.role.rawValue], descriptors: map,
      family: .ownSession
    ).start()
    System.close(pair.other)
    let epoll = try System.epollCreate()
    try System.watch(epoll, pair.own)
    var failures = 0
    while true {
      do throws(SystemError) {
        if try !System.wait(epoll, milliseconds: -1).isEmpty { break }
      } catch {
        failures += 1
        if failures == Limits.failedWaits { throw error }
        System.pause(milliseconds: 100)
      }
    }
    return Message((try? System.receivePacket(pair.own)) ?? [])
  }
}
