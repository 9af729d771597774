// Another worker, to which that of a bench is linked: the test, which may say there whatever it likes.
import Foundation
import Glibc
import Support
import Testing

@testable import Host

/// The test's end of a link between two workers. Waits for 30 seconds at most.
final class OtherWorker {
  private var descriptor: Int32
  private var reader = TopicReader()

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { leave() }

  /// Both ends of a link: the test's, and the worker's, which does not wait.
  static func ends() throws -> (ours: Int32, its: Int32) {
    var ends: [Int32] = [0, 0]
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
      throw SupportError.system(call: "socketpair", errno: errno)
    }
    var limit = timeval(tv_sec: 30, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(ends[0], SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    try System.setNonBlocking(ends[1])
    return (ends[0], ends[1])
  }

  /// The process is gone.
  func leave() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  /// Says all of it; false once the worker has closed its end.
  @discardableResult
  func send(_ bytes: [UInt8]) throws -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EPIPE || errno == ECONNRESET { return false }
      guard count > 0 else { throw SupportError.system(call: "send", errno: errno) }
      sent += count
    }
    return true
  }

  /// The next message that was published in the bench, as `TopicText` has it; nil once the worker has closed
  /// its end.
  func next() throws -> String? {
    while true {
      if let message = try reader.next() { return TopicText.of(message) }
      let room = reader.reserve(65_536)
      let count = recv(descriptor, room, 65_536, 0)
      if count < 0, errno == ECONNRESET { return nil }
      guard count >= 0 else { throw SupportError.system(call: "recv", errno: errno) }
      if count == 0 { return nil }
      reader.commit(count)
    }
  }
}

/// Messages of topics as tests write them.
enum TopicText {
  /// "text room: hello", or "binary room: 65536 bytes".
  static func of(_ message: TopicMessage) -> String {
    let topic = String(decoding: message.topic, as: UTF8.self)
    guard message.opcode == .text else { return "binary \(topic): \(message.payload.count) bytes" }
    return "text \(topic): \(String(decoding: message.payload, as: UTF8.self))"
  }

  /// A text as bytes.
  static func bytes(_ topic: String, _ text: String) -> [UInt8] {
    Array(topic.utf8).withUnsafeBytes { topic in
      Array(text.utf8).withUnsafeBytes { TopicMessage(topic: topic, opcode: .text, payload: $0).bytes }
    }
  }
}
