// Closures: as many as there are calls at once, none used again before others have rested, none ever freed.
import CFFI
import Foundation
import Testing

@testable import FFICore

@Suite struct CallbackTests {
  private func type(_ text: String) throws -> CallbackType {
    let signature = try SignatureParser.parse("m:f(c: \(text))").signature
    guard case .callback(let type) = signature.parameters[0].type else {
      throw SignatureError("no callback", column: 1)
    }
    return type
  }

  private typealias Tell = @convention(c) (UInt8) -> Int32

  @Test("a late call does nothing, and a closure rests before it is used again")
  func lateCalls() throws {
    let pool = try #require(CallbackPool(try type("callback(percent: u8) -> i32 = collect(7)")))
    var codes: [UnsafeMutableRawPointer] = []
    for round in 0..<(CallbackPool.resting + 1) {
      let record = CallbackRecord()
      let slot = try #require(pool.take(record))
      let code = try #require(slot.code)
      #expect(!codes.contains(code), "used again in round \(round)")
      #expect(unsafeBitCast(code, to: Tell.self)(42) == 7)
      #expect(record.calls == [["percent": .number("42")]])
      pool.giveBack(slot)
      #expect(unsafeBitCast(code, to: Tell.self)(43) == 7)
      #expect(record.count == 1)
      codes.append(code)
    }
  }

  @Test("calls at once have closures of their own")
  func manyAtOnce() throws {
    let pool = try #require(CallbackPool(try type("callback(percent: u8) -> i32 = count")))
    let taken = try (0..<100).map { _ in
      let record = CallbackRecord()
      return (try #require(pool.take(record)), record)
    }
    for (index, (slot, _)) in taken.enumerated() {
      for _ in 0..<index { _ = unsafeBitCast(try #require(slot.code), to: Tell.self)(1) }
    }
    #expect(taken.map(\.1.count) == Array(0..<100))
    for (slot, _) in taken { pool.giveBack(slot) }
  }

  @Test("a call from another thread is not the request's")
  func otherThread() throws {
    let pool = try #require(CallbackPool(try type("callback(percent: u8) -> i32 = count")))
    let record = CallbackRecord()
    let slot = try #require(pool.take(record))
    let code = UInt(bitPattern: slot.code)
    let done = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      if let code = UnsafeMutableRawPointer(bitPattern: code) { _ = unsafeBitCast(code, to: Tell.self)(1) }
      done.signal()
    }
    done.wait()
    #expect(record.count == 0)
    pool.giveBack(slot)
  }

  @Test("functions that are not thread-safe run one at a time, others do not wait")
  func oneAtATime() async throws {
    for (attribute, expected) in [("", 1), ("threadsafe", 4)] {
      // A copy of its own, for it counts in variables.
      let file = try Sample.library(["-g0", "-DCOPY"], "crowd\(expected)")
      let endpoint = try SignatureParser.parse("/c=\(file):crowd(milliseconds: i32) -> i32 \(attribute)")
      var libraries = Libraries()
      let app = try FFIApp([endpoint], entry: nil) { try libraries.resolve($0) }
      DispatchQueue.concurrentPerform(iterations: 4) { _ in
        let request = Incoming(method: "POST", path: "/c", query: Array("milliseconds=50".utf8))
        _ = app.answer(request) { _ in nil }
      }
      let last = app.answer(
        Incoming(method: "POST", path: "/c", query: Array("milliseconds=0".utf8))
      ) { _ in nil }
      let most = try #require(Int(String(decoding: last.body, as: UTF8.self).filter(\.isNumber)))
      #expect(expected == 1 ? most == 1 : most >= 1)
    }
  }
}
