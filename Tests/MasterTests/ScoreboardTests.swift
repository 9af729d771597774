// The page that a worker writes and its master reads.
@testable import Control
import Testing

@Suite struct ScoreboardTests {
  private func withBoard(_ body: (Scoreboard) -> Void) {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: Scoreboard.bytes, alignment: 4096)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: Scoreboard.bytes)
    defer { memory.deallocate() }
    body(Scoreboard(memory))
  }

  private func begin(_ board: Scoreboard, _ slot: UInt32, _ path: String, at now: UInt64 = 5) {
    Array("GET".utf8).withUnsafeBytes { method in
      Array(path.utf8).withUnsafeBytes { board.begin(slot, at: now, app: 1, generation: 7, method, $0) }
    }
  }

  @Test("a request shows from its beginning to its end")
  func entries() {
    withBoard { board in
      begin(board, 3, "/x", at: 9)
      begin(board, 4, "/y", at: 8)
      #expect(board.entries.map(\.line) == ["GET /y", "GET /x"])
      let entry = board.entry(at: 3)
      #expect(entry?.began == 9 && entry?.app == 1 && entry?.generation == 7 && entry?.line == "GET /x")
      board.end(3)
      #expect(board.entry(at: 3) == nil)
    }
  }

  @Test("a long path is cut and overwrites nobody")
  func longPath() {
    withBoard { board in
      begin(board, 1, "/after")
      begin(board, 0, "/" + String(repeating: "a", count: 10_000))
      #expect(board.entry(at: 0)?.line.count == 4 + Scoreboard.textBytes - 25)
      #expect(board.entry(at: 1)?.line == "GET /after")
    }
  }

  @Test("a request's id stands behind its line, is cut, and goes with it")
  func names() {
    withBoard { board in
      func begin(_ name: String, _ slot: UInt32 = 0) {
        Array(name.utf8).withUnsafeBytes { name in
          Array("/x".utf8).withUnsafeBytes { path in
            Array("GET".utf8).withUnsafeBytes { method in
              board.begin(slot, at: 5, app: 1, generation: 7, method, path, name: name)
            }
          }
        }
      }
      begin("order-7", 1)
      begin(String(repeating: "a", count: 10_000))
      #expect(board.entry(at: 0)?.line == "GET /x [\(String(repeating: "a", count: Scoreboard.nameBytes))]")
      #expect(board.entry(at: 1)?.line == "GET /x [order-7]")
      begin("")
      #expect(board.entry(at: 0)?.line == "GET /x")
    }
  }

  @Test("a stack shows as long as its request; a long one is cut, and the oldest place is taken over")
  func stacks() throws {
    withBoard { board in
      func show(_ text: String, _ slot: Int) {
        var text = text
        text.withUTF8 { board.show(stack: UnsafeRawBufferPointer($0), of: slot) }
      }
      for slot in 0..<8 { begin(board, UInt32(slot), "/\(slot)", at: UInt64(10 + slot)) }
      show("in first", 3)
      #expect(board.stack(of: board.entry(at: 3)!) == "in first")
      show("in second", 3)
      #expect(board.stack(of: board.entry(at: 3)!) == "in second")
      #expect(board.stack(of: board.entry(at: 4)!) == nil)
      show(String(repeating: "x", count: 10_000), 4)
      #expect(board.stack(of: board.entry(at: 4)!)?.count == Scoreboard.stackBytes)
      #expect(board.stack(of: board.entry(at: 3)!) == "in second")
      // The next request in the place has none, and one that is over holds no room.
      board.end(3)
      begin(board, 3, "/next", at: 99)
      #expect(board.stack(of: board.entry(at: 3)!) == nil)
      for slot in [5, 6, 7] { show("in \(slot)", slot) }
      #expect([4, 5, 6, 7].allSatisfy { board.stack(of: board.entry(at: $0)!) != nil })
      show("in the fifth", 2)
      #expect(board.stack(of: board.entry(at: 2)!) == "in the fifth")
      show("in nothing", 100)
    }
  }

  @Test("what has no place is not written down, and applications beyond the last share its place")
  func bounds() {
    withBoard { board in
      begin(board, UInt32(Scoreboard.slots), "/nowhere")
      board.end(UInt32(Scoreboard.slots))
      #expect(board.entries.isEmpty)
      board[.requests, app: 500].increment()
      board[.requests, app: 501].increment()
      #expect(board[.requests, app: Scoreboard.apps - 1].value == 2)
      #expect(board[.requests, app: 0].value == 0 && board[.requests].value == 0)
    }
  }
}
