import CNSGI
import Control
import Glibc

/// The extension `draft.stack/1` of a runtime: what one of its requests is doing at this moment, in its
/// language.
private struct StackTable {
  /// Writes lines of UTF-8 into `text`, at most `capacity` bytes; returns how many, 0 if it does not have the
  /// request. On any thread while the request lasts; returns within milliseconds.
  let stack:
    @convention(c) (
      _ state: UnsafeMutableRawPointer?, _ id: nsgi_id, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int
    ) -> Int
}

extension App {
  /// What a request of the app is doing, in the language of its runtime; nil if the runtime cannot tell.
  func stack(of id: nsgi_id) -> String? {
    guard case .full(let table) = generation.form, let find = table.extension,
      let found = find("draft.stack/1")
    else { return nil }
    let stack = found.assumingMemoryBound(to: StackTable.self).pointee.stack
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16 * 1024) { text in
      let count = stack(generation.state, id, text.baseAddress, text.count)
      ForkedCopy.end()
      guard count > 0, count <= text.count else { return nil }
      return String(decoding: UnsafeRawBufferPointer(start: text.baseAddress, count: count), as: UTF8.self)
    }
  }
}

/// What long requests are doing: for the log when the time of one is over, for `server ctl status` at any
/// time.
extension Worker {
  /// Nanoseconds after which a request counts as long.
  private static let longRequest: UInt64 = 1_000_000_000

  /// Leader: a request has exceeded its time; what it is doing goes to the log and to the master.
  func logStack(_ exchange: ExchangePointer) {
    guard let text = app(exchange).stack(of: exchange.id) else { return }
    log.error("stack of \(exchange.requestLine):")
    for line in text.split(separator: "\n") { log.error("\(line)") }
    show(text, of: exchange)
  }

  /// Leader: puts the stack of a request where the master finds it.
  func show(_ stack: String, of exchange: ExchangePointer) {
    var stack = stack
    stack.withUTF8 {
      board?.show(stack: UnsafeRawBufferPointer($0), of: Int(exchange.slot))
    }
  }

  /// Leader: the master wants to see what long requests are doing. Runtimes are asked; the thread of a native
  /// call is left alone, since the question would interrupt it.
  func showStacks() {
    guard let supervisor else { return }
    for entry in supervisor.board.entries.prefix(Scoreboard.stacks)
    where System.now() > entry.began &+ Worker.longRequest {
      let exchange = exchanges.record(UInt32(entry.slot))
      guard exchange.isCounted, exchange.calls != nil,
        let text = app(exchange).stack(of: exchange.id)
      else { continue }
      show(text, of: exchange)
    }
    supervisor.link.send(Message(.traced))
  }
}
