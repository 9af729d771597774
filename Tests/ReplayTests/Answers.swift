// Answers to compare, and something that gives them.
import CDeflate
import Config
import Control
import Foundation
import Testing

@testable import Replay

/// An answer as a worker gives it.
func answer(
  _ body: [UInt8], status: Int = 200, _ fields: [(String, String)] = [], microseconds: UInt64 = 1000,
  isHead: Bool = false
) -> ReplayAnswer {
  var reader = AnswerReader(most: Limits.replayBodyBytes)
  let lines = fields.map { "\($0.0): \($0.1)\r\n" }.joined()
  let bytes = Array("Status: \(status) Words\r\n\(lines)\r\n".utf8) + body
  // In pieces, as a socket has them.
  let piece = max(7, bytes.count / 100)
  for start in stride(from: 0, to: bytes.count, by: piece) {
    reader.take(bytes[start..<min(start + piece, bytes.count)])
  }
  reader.end(isHead: isHead)
  var answer = reader.answer
  answer.microseconds = microseconds
  return answer
}

/// The same with a text.
func answer(
  _ text: String, status: Int = 200, _ fields: [(String, String)] = [], microseconds: UInt64 = 1000
) -> ReplayAnswer {
  answer(Array(text.utf8), status: status, fields, microseconds: microseconds)
}

/// An answer that did not come.
func noAnswer(_ fault: String) -> ReplayAnswer {
  var answer = ReplayAnswer()
  answer.fault = fault
  return answer
}

/// What is found after some rounds, each of which brings two answers of the previous build and one of the new
/// one.
func compared(
  isHead: Bool = false, slowness: Double = 3, _ rounds: (ReplayAnswer, ReplayAnswer, ReplayAnswer)...
) -> AnswerComparison {
  var comparison = AnswerComparison(isHead: isHead, slowness: slowness)
  for (one, other, new) in rounds { comparison.take(usual: [one, other], new: new) }
  return comparison
}

/// A text as gzip has it (RFC 1952): compressed, with a time in its head.
func gzip(_ text: String, time: UInt8 = 0) throws -> [UInt8] {
  let stream = try #require(cdeflate_compressor(15))
  defer { cdeflate_free(stream) }
  let bytes = Array(text.utf8)
  var room = [UInt8](repeating: 0, count: 1024 + 2 * bytes.count)
  let count = bytes.withUnsafeBytes { bytes in
    room.withUnsafeMutableBytes { room in
      var from = bytes.baseAddress
      var (left, made) = (bytes.count, 0)
      _ = cdeflate_run(stream, &from, &left, room.baseAddress, room.count, &made)
      return made
    }
  }
  let head: [UInt8] = [0x1f, 0x8b, 8, 0, time, 0, 0, 0, 0, 3]
  return head + room[..<count] + [UInt8](repeating: time, count: 8)
}

/// Something that requests are replayed to.
final class TestTarget: ReplayTarget {
  private let respond: (String, Int) -> ReplayAnswer
  private(set) var asked: [String] = []
  var isAlive = true
  var memory: () -> Int = { 50 << 20 }
  var residentBytes: Int { memory() }

  /// - Parameter respond: its answer to a request's line that it has been asked so often before.
  init(_ respond: @escaping (String, Int) -> ReplayAnswer) { self.respond = respond }

  func ask(_ request: ReplayRequest, patience: UInt64) -> ReplayAnswer {
    let times = asked.count { $0 == request.line }
    asked.append(request.line)
    let answer = respond(request.line, times)
    if answer.fault?.contains("died") ?? false { isAlive = false }
    return answer
  }
}

/// A request that a worker remembers.
func remembered(
  _ target: String, app: Int = 0, at: UInt64 = 1, method: String = "GET", _ more: [(String, String)] = []
) -> RememberedHead {
  let variables = [("REQUEST_METHOD", method), ("REQUEST_URI", target), ("HTTP_HOST", "h")] + more
  return RememberedHead(
    app: app, at: at, block: variables.flatMap { Array($0.0.utf8) + [0] + Array($0.1.utf8) + [0] })
}
