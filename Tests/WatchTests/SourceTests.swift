// A master that answers, refuses, is late, and is gone.
import Control
import Dispatch
import Glibc
import Testing

@testable import Watch

@Suite struct SourceTests {
  /// A source, and the descriptor of what plays the master.
  private func pair() throws -> (source: Source, master: Int32) {
    var pair: [Int32] = [-1, -1]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
    return (Source(descriptor: pair[0]), pair[1])
  }

  @Test("a refusal gives no figures, and the next answer does")
  func refusal() throws {
    let (made, master) = try pair()
    var source = made
    defer { for fd in [made.descriptor, master] { close(fd) } }
    try #require(say("refused: the answer is longer than 8 MiB\nexit 1\n", to: master))
    let refused = source.snapshot()
    #expect(refused == nil && !source.isGone)
    try #require(say("server version=1\nexit 0\n", to: master))
    let next = source.snapshot()
    #expect(next?.version == "1" && !source.isGone)
  }

  @Test("an answer that comes too late is read over, and nobody waits for it twice")
  func late() throws {
    let (made, master) = try pair()
    var source = made
    defer { for fd in [made.descriptor, master] { close(fd) } }
    source.patience = 1
    let first = source.snapshot()
    source.patience = 60_000
    let second = source.snapshot()
    #expect(first == nil && second == nil && !source.isGone)
    var question = [UInt8](repeating: 0, count: 256)
    // It was asked once.
    let count = recv(master, &question, question.count, 0)
    #expect(count == "text snapshot\n".utf8.count)
    try #require(say("server version=old\nexit 0\n", to: master))
    DispatchQueue.global().async {
      var byte: UInt8 = 0
      _ = recv(master, &byte, 1, 0)
      _ = say("server version=new\nexit 0\n", to: master)
    }
    let third = source.snapshot()
    #expect(third?.version == "new" && !source.isGone)
  }

  @Test("the end of the stream is said")
  func gone() throws {
    let (made, master) = try pair()
    var source = made
    defer { close(made.descriptor) }
    close(master)
    let look = source.snapshot()
    #expect(look == nil && source.isGone)
  }
}

/// Whether all of it was taken.
private func say(_ text: String, to descriptor: Int32) -> Bool {
  send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL)) == text.utf8.count
}
