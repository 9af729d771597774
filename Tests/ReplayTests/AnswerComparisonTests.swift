// What differs between the answers of two builds, and what is only noise.
import Control
import Testing

@testable import Replay

@Suite struct AnswerComparisonTests {
  @Test("equal answers differ in nothing")
  func equal() {
    let same = compared((answer("x"), answer("x"), answer("x")))
    #expect(same.findings.isEmpty && !same.isNoisy)
  }

  @Test("a worse class of status is worse, any other status is another one")
  func status() {
    func kinds(_ before: Int, _ now: Int) -> [Finding] {
      compared((answer("x", status: before), answer("x", status: before), answer("y", status: now))).findings
    }
    for (before, now) in [(200, 404), (200, 500), (302, 500), (404, 503)] {
      let found = kinds(before, now)
      #expect(found.count == 1 && found[0].kind == .status && found[0].isWorse, "\(before) \(now)")
    }
    for (before, now) in [(404, 200), (500, 404), (200, 302), (404, 410), (503, 500)] {
      let found = kinds(before, now)
      #expect(found.count == 1 && found[0].kind == .status && !found[0].isWorse, "\(before) \(now)")
    }
    #expect(kinds(200, 500)[0].text == "was answered with 500, and with 200 by the build before")
    let gone = compared((answer("x"), answer("x"), noAnswer("its process died of SIGABRT"))).findings
    #expect(gone.count == 1 && gone[0].isWorse && gone[0].text.contains("nothing (its process died"))
  }

  @Test("a status that two copies do not agree on says nothing, unless the new one is worse than both")
  func noisyStatus() {
    let noise = compared((answer("x"), answer("x", status: 503), answer("x", status: 503)))
    #expect(noise.findings.isEmpty && noise.isNoisy)
    let worse = compared((answer("x"), answer("x", status: 404), answer("x", status: 500)))
    #expect(worse.findings.map(\.isWorse) == [true])
  }

  @Test("fields are compared by name, and what is random in them is noise")
  func fields() {
    func found(
      _ one: [(String, String)], _ other: [(String, String)], _ new: [(String, String)]
    ) -> [String] {
      compared((answer("x", one), answer("x", other), answer("x", new))).findings.map(\.text)
    }
    let plain = [("X-A", "1")]
    #expect(found(plain, plain, [("x-a", "1")]).isEmpty)
    #expect(found(plain, plain, [("X-A", "2")]) == ["x-a: \"1\" became \"2\""])
    #expect(found(plain, plain, []) == ["x-a is missing"])
    #expect(found([], [], plain) == ["x-a is new: \"1\""])
    #expect(found([("ETag", "a")], [("ETag", "b")], [("ETag", "c")]).isEmpty)
    #expect(found([("ETag", "a")], [("ETag", "b")], []) == ["etag is missing"])
    let cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    #expect(found(cookies, cookies, cookies.reversed()).count == 1, "their order counts")
    // The length of a body follows from the body.
    #expect(found([("Content-Length", "1")], [("Content-Length", "1")], []).isEmpty)
    let head = compared(
      isHead: true,
      (
        answer([], [("Content-Length", "10")], isHead: true),
        answer([], [("Content-Length", "10")], isHead: true),
        answer([], [("Content-Length", "11")], isHead: true)
      ))
    #expect(head.findings.map(\.text) == ["content-length: \"10\" became \"11\""])
  }

  @Test("a time stamp, a random number, a token are noise; a word beside them is not")
  func texts() {
    func page(_ token: String, _ price: Int, _ time: String) -> ReplayAnswer {
      answer(
        "<form><input name=\"csrf\" value=\"\(token)\"></form>\n<p>It costs \(price).</p>\n"
          + "<p>At \(time)</p>\n")
    }
    let (one, other) = (page("aGVsbG8-_x", 12, "12:00:01"), page("d29ybGQ+/y==", 12, "12:00:02"))
    let good = compared((one, other, page("Zm9vYmFy", 12, "12:00:03")))
    #expect(good.findings.isEmpty && good.isNoisy)
    let bad = compared((one, other, page("Zm9vYmFy", 13, "12:00:03"))).findings
    #expect(bad.count == 1 && bad[0].kind == .body, "\(bad)")
    #expect(bad[0].text.contains("12.") && bad[0].text.contains("13."), "\(bad)")
    // More of it at the end, at the beginning, and nothing at all.
    for body in ["Zm9vYmFy and more", "", "<form>"] {
      #expect(compared((one, other, answer(body))).findings.map(\.kind) == [.body], "\(body)")
    }
  }

  @Test("lists of random things of any number, and bodies that have nothing in common")
  func lists() {
    func list(_ seed: UInt64, _ count: Int, _ end: String = "end") -> ReplayAnswer {
      var number = seed
      let items = (0..<count).map { _ -> String in
        number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return "<li>\(String(number, radix: 16))</li>\n"
      }
      return answer("<ul>\n" + items.joined() + "</ul>\n" + end)
    }
    #expect(compared((list(1, 20), list(2, 20), list(3, 20))).findings.isEmpty)
    #expect(compared((list(1, 20), list(2, 22), list(3, 21))).findings.isEmpty)
    #expect(compared((list(1, 20), list(2, 20), list(3, 20, "error"))).findings.map(\.kind) == [.body])
    let noise = compared((list(1, 900), list(2, 900), answer("anything")))
    #expect(noise.findings.isEmpty && noise.isNoisy, "there is nothing to hold on to")
  }

  @Test("the first difference is shown with what is before it, and nothing of it reaches a terminal")
  func context() {
    let same = String(repeating: "abc ", count: 50)
    let found = compared((answer(same + "one"), answer(same + "one"), answer(same + "\u{1b}[2Jtwo"))).findings
    #expect(found.count == 1)
    #expect(found[0].text.hasPrefix("byte 200: \"…"), "\(found)")
    #expect(found[0].text.contains("abc one\" became") && found[0].text.contains("\\x1b[2Jtwo"), "\(found)")
    let longer = compared((answer("abc"), answer("abc"), answer("abcd"))).findings
    #expect(longer.map(\.text) == ["byte 3: the end became \"abcd\""])
    let shorter = compared((answer("abcd efg"), answer("abcd efg"), answer("abcd "))).findings
    #expect(shorter.count == 1 && shorter[0].text.hasSuffix("became the end"), "\(shorter)")
  }

  @Test("JSON is compared by path, whatever the order of members and the white space")
  func json() {
    func found(_ one: String, _ other: String, _ new: String) -> [String] {
      compared((answer(one), answer(other), answer(new))).findings.map(\.text)
    }
    let one = #"{"id": 17, "items": [{"price": 12}, {"price": 3}], "now": "2025"}"#
    let other = #"{"now":"2026","id":18,"items":[{"price":12},{"price":3}]}"#
    #expect(found(one, other, #"{"items":[{"price":12},{"price":3}],"now":"2027","id":19}"#).isEmpty)
    #expect(
      found(one, other, #"{"items":[{"price":13},{"price":3}],"now":"2027","id":19}"#)
        == ["$.items[0].price: 12 became 13"])
    #expect(
      found(one, other, #"{"items":[{"price":12}],"now":"2027","id":19}"#)
        == ["$.items: 2 elements became 1"])
    #expect(found(one, other, #"{"items":[{"price":12},{"price":3}],"now":"2027"}"#).isEmpty)
    let missing = found(one, one, #"{"id":17,"items":[{"price":12},{"price":3}]}"#)
    #expect(missing == ["$.now: \"2025\" is missing"])
    // Keys that are random.
    #expect(
      found(#"{"a1":{"x":1},"n":5}"#, #"{"b2":{"x":1},"n":5}"#, #"{"c3":{"x":1},"n":5}"#).isEmpty)
    #expect(
      found(#"{"a1":{"x":1},"n":5}"#, #"{"b2":{"x":1},"n":5}"#, #"{"c3":{"x":1},"n":6}"#)
        == ["$.n: 5 became 6"])
    #expect(found("[1]", "[1]", "no JSON").count == 1)
    #expect(found(#"{"a b":null}"#, #"{"a b":null}"#, #"{"a b":true}"#) == ["$[\"a b\"]: null became true"])
  }

  @Test("compressed bodies are compared as they were before")
  func compressed() throws {
    let coded = [("Content-Encoding", "gzip")]
    func page(_ token: Int, _ price: Int, _ time: UInt8 = 0) throws -> ReplayAnswer {
      answer(try gzip("token \(token * 7919) costs \(price) and so on", time: time), coded)
    }
    #expect(try compared((page(1, 12), page(1, 12), page(1, 12, 9))).findings.isEmpty, "other times")
    #expect(try compared((page(1, 12), page(2, 12), page(3, 12))).findings.isEmpty, "noise in it")
    let found = try compared((page(1, 12), page(2, 12), page(3, 13))).findings
    #expect(found.count == 1 && found[0].text.contains("costs 13"), "\(found)")
    // What cannot be read is compared as it is.
    let broken = answer(Array("no gzip".utf8), coded)
    #expect(compared((broken, broken, broken)).findings.isEmpty)
    #expect(try compared((broken, broken, page(1, 12))).findings.map(\.kind) == [.body])
  }

  @Test("noise in a coding that is not read here is noise; where there is none any other byte is told")
  func otherCodings() {
    func coded(_ text: String) -> ReplayAnswer { answer(text, [("Content-Encoding", "br")]) }
    let noisy = compared((coded("ab 12345"), coded("ab 98765"), coded("zz 55555")))
    #expect(noisy.findings.isEmpty && noisy.isNoisy)
    #expect(compared((coded("same"), coded("same"), coded("other"))).findings.map(\.kind) == [.body])
  }

  @Test("long bodies are compared by their beginnings and their hashes")
  func long() {
    let body = [UInt8](repeating: 0x61, count: 1_049_000)
    var (other, late) = (body, body)
    other[7] = 0x62
    late[1_048_800] = 0x62
    #expect(compared((answer(body), answer(body), answer(body))).findings.isEmpty)
    let early = compared((answer(body), answer(body), answer(other))).findings
    #expect(early.map(\.text) == ["differs at byte 7; 1049000 bytes became 1049000"])
    let behind = compared((answer(body), answer(body), answer(late))).findings
    #expect(behind.count == 1 && behind[0].text.hasPrefix("differs behind byte 1048576"), "\(behind)")
    #expect(compared((answer(body), answer(late), answer(other))).findings.isEmpty, "noise")
  }

  @Test("what is slower each time is slower; what is slow once, or by little, is not")
  func times() {
    func timed(_ microseconds: UInt64) -> ReplayAnswer { answer("x", microseconds: microseconds) }
    let slow = compared((timed(6000), timed(5000), timed(60_000)), (timed(5000), timed(6000), timed(61_000)))
    #expect(slow.findings.map(\.kind) == [.time])
    let words = "took 60.0 ms or longer, and no longer than 6.0 ms with the build before"
    #expect(slow.findings[0].text == words)
    #expect(compared((timed(100), timed(100), timed(9000))).findings.isEmpty, "less than 10 ms")
    let once = compared((timed(5000), timed(5000), timed(90_000)), (timed(5000), timed(5000), timed(5100)))
    #expect(once.findings.isEmpty)
    let same = compared((timed(5000), timed(70_000), timed(90_000)))
    #expect(same.findings.isEmpty, "so may the build before")
    #expect(compared(slowness: 20, (timed(5000), timed(5000), timed(60_000))).findings.isEmpty)
  }

  @Test("what differs once is chance: in the next round the second has passed for all")
  func rounds() {
    let first = compared((answer("at 1"), answer("at 1"), answer("at 2")))
    #expect(first.findings.count == 1)
    let again = compared(
      (answer("at 1"), answer("at 1"), answer("at 2")), (answer("at 2"), answer("at 2"), answer("at 2")))
    #expect(again.findings.isEmpty)
    let real = compared(
      (answer("at 1"), answer("at 1"), answer("on 1")), (answer("at 2"), answer("at 2"), answer("on 2")))
    #expect(real.findings.map(\.kind) == [.body])
  }

  @Test("without an answer of the previous build there is nothing to compare with")
  func incomparable() {
    let comparison = compared((answer("x"), noAnswer("not within 5000 ms"), answer("y", status: 500)))
    #expect(!comparison.isComparable && comparison.findings.isEmpty)
  }

  @Test("an answer that broke off is none")
  func broken() {
    let cut = answer("12345", [("Content-Length", "10")])
    #expect(cut.fault == "it broke off after 5 of 10 bytes")
    #expect(answer("12345", status: 304, [("Content-Length", "10")]).fault == nil)
    var reader = AnswerReader(most: 10)
    reader.end(isHead: false)
    #expect(reader.answer.fault == "the connection was closed")
    reader.take(Array("nonsense".utf8)[...])
    reader.end(isHead: false)
    #expect(reader.answer.fault != nil)
  }
}
