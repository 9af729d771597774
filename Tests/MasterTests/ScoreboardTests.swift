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
