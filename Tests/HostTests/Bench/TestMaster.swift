// The master of a worker in the test process: a link to give orders on, and a scoreboard.
import Config
import Control
import Foundation
import Support
import Testing

@testable import Host

/// The test's end of the packet socket between a master and its worker.
final class TestMaster {
  let supervisor: Supervisor
  private let descriptor: Int32

  init(_ settings: SupervisionSettings) throws {
    var ends: [Int32] = [0, 0]
    let kind = Int32(SOCK_SEQPACKET.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
      throw SupportError.system(call: "socketpair", errno: errno)
    }
    descriptor = ends[0]
    // The last words of the process point there: it stays.
    let board = UnsafeMutableRawPointer.allocate(byteCount: Scoreboard.bytes, alignment: 4096)
    board.initializeMemory(as: UInt8.self, repeating: 0, count: Scoreboard.bytes)
    let assignment = Assignment(orders: Orders(.worker), link: ControlLink(fd: ends[1]))
    supervisor = Supervisor(assignment, Scoreboard(board), settings)
  }

  deinit { System.close(descriptor) }

  func send(_ verb: Message.Verb) throws { try System.sendPacket(descriptor, Message(verb).bytes) }

  /// Waits for a message of the worker's; what it says before that is dropped.
  func hear(_ verb: Message.Verb) throws {
    try Deadline.usual.wait(for: "\(verb) from the worker") { () -> Bool? in
      guard let packet = try? System.receivePacket(descriptor) else { return nil }
      if packet.descriptor >= 0 { System.close(packet.descriptor) }
      return Message(packet.bytes)?.verb == verb ? true : nil
    }
  }

  /// Hands a descriptor over, which stays the caller's.
  func send(_ message: Message, with other: Int32) throws {
    try System.sendPacket(descriptor, message.bytes, descriptor: other)
  }
}
