// FastCGI requests: fixtures, what the host relies on between two events, random requests of the other
// side.
import Support
import Testing
import Wire

@Suite struct FastCGIRequestReaderTests {
  @Test(arguments: try Fixture.all("fastcgi"))
  func everyFixtureInEveryDelivery(_ fixture: Fixture) {
    let problems = verify(FastCGIRequestReader.self, fixture)
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
  }

  private let begin = fastCGIRecord(type: 1, [0, 1, 1, 0, 0, 0, 0, 0])
  private let params = fastCGIRecord(type: 4, fastCGIPair("REQUEST_METHOD", "POST"))
  private let paramsEnd = fastCGIRecord(type: 4)
  private let stdinEnd = fastCGIRecord(type: 5)

  @Test func headInOneRecordIsLeftWhereItStands() throws {
    let held = HeldReader(FastCGIRequestReader.self)
    #expect(try held.next(begin + params) == .needMore)
    #expect(held.offset == 0, "nothing is used up while the head is incomplete")
    #expect(try held.next(Array(paramsEnd.dropLast())) == .needMore)
    #expect(held.offset == 0)
    #expect(try held.next([0]) == .head)
    #expect(held.offset == begin.count + params.count + paramsEnd.count)
    #expect(held.head.assembled.block == nil, "no copy, no allocation")
    #expect(held.value(.requestMethod) == "POST")
  }

  @Test func emptyBodyComesWithTheHead() throws {
    let get = fastCGIRecord(type: 4, fastCGIPair("REQUEST_METHOD", "GET"))
    let held = HeldReader(FastCGIRequestReader.self)
    #expect(try held.next(begin + get + paramsEnd + stdinEnd + begin) == .head)
    #expect(held.endsRequest)
    #expect(held.offset == held.bytes.count - begin.count)
    #expect(try held.next() == .end)
    let late = HeldReader(FastCGIRequestReader.self)
    #expect(try late.next(begin + get + paramsEnd + stdinEnd.dropLast()) == .head)
    #expect(!late.endsRequest, "the end of STDIN is not there as a whole")
    #expect(try late.next([0]) == .end)
    let length = fastCGIRecord(type: 4, fastCGIPair("CONTENT_LENGTH", "1"))
    let short = HeldReader(FastCGIRequestReader.self)
    #expect(try short.next(begin + length + paramsEnd + stdinEnd) == .head)
    #expect(!short.endsRequest, "a body was announced")
    #expect(throws: FastCGIError.self) { try short.next() }
  }

  @Test func headInTwoRecordsIsBroughtTogether() throws {
    let held = HeldReader(FastCGIRequestReader.self)
    let pair = fastCGIPair("REQUEST_METHOD", "POST")
    held.give(begin + fastCGIRecord(type: 4, Array(pair[..<3])) + fastCGIRecord(type: 4, Array(pair[3...])))
    #expect(try held.next() == .needMore)
    #expect(held.offset == held.bytes.count, "the buffer need not hold what was brought together")
    #expect(try held.next(paramsEnd) == .head)
    #expect(held.head.assembled.block != nil)
    #expect(held.value(.requestMethod) == "POST")
  }

  @Test func bodyDoesNotWaitForAWholeRecord() throws {
    let held = try atBody()
    let record = fastCGIRecord(type: 5, Array("hello".utf8))
    #expect(try held.next(Array(record.prefix(10))) == .body(at(held, -2, 2)))
    #expect(held.reader.bodyLeft == 3)
    #expect(try held.next(Array("llo".utf8)) == .body(at(held, -3, 3)))
    #expect(held.reader.bodyLeft == 0)
  }

  @Test func bodyMayGoPastTheReaderWithinARecord() throws {
    let held = try atBody()
    #expect(held.reader.bodyLeft == 0, "a record header comes next")
    #expect(try held.next(Array(fastCGIRecord(type: 5, [1, 2, 3, 4], padding: 4).prefix(8))) == .needMore)
    #expect(held.reader.bodyLeft == 4)
    held.reader.bypassed(3)
    #expect(held.reader.bodyLeft == 1)
    #expect(try held.next([4]) == .body(at(held, -1, 1)))
    #expect(held.reader.bodyLeft == 0, "padding comes next")
    #expect(try held.next([0, 0, 0, 0] + stdinEnd) == .end)
  }

  @Test func messagesWhileTheAnswerIsUnderWay() throws {
    let held = try atBody()
    #expect(try held.next(stdinEnd) == .end)
    #expect(try held.next() == .end, "again, when there is nothing else")
    #expect(try held.next(fastCGIRecord(type: 9, id: 0)) == .answer(.fastCGIValues(0)))
    #expect(
      try held.next(fastCGIRecord(type: 1, id: 2, [0, 1, 0, 0, 0, 0, 0, 0]))
        == .answer(.fastCGIRefusal(id: 2, protocolStatus: 1, closes: false)))
    #expect(try held.next(fastCGIRecord(type: 5, id: 2, [7])) == .end, "of the refused request")
    #expect(try held.next(fastCGIRecord(type: 2)) == .abort)
    #expect(try held.next() == .end)
  }

  @Test func nextRequestOfTheSameIDWaitsForTheAnswer() throws {
    let held = try atBody()
    #expect(try held.next(stdinEnd + begin + params + paramsEnd) == .end)
    let offset = held.offset
    #expect(try held.next() == .end)
    #expect(held.offset == offset)
    held.reader.reset()
    #expect(try held.next() == .head)
  }

  @Test func lateRecordsOfAnEndedRequestArePassedOver() throws {
    let held = try atBody()
    held.reader.reset()
    #expect(held.reader.isIdle)
    #expect(
      try held.next(fastCGIRecord(type: 5, [1, 2, 3]) + stdinEnd + fastCGIRecord(type: 2)) == .needMore)
    #expect(held.reader.isIdle)
    #expect(held.offset == held.bytes.count)
  }

  @Test func idleMeansBetweenRequestsAndRecords() throws {
    let held = HeldReader(FastCGIRequestReader.self)
    #expect(held.reader.isIdle)
    #expect(try held.next(Array(fastCGIRecord(type: 5, id: 3, [1, 2]).dropLast())) == .needMore)
    #expect(!held.reader.isIdle, "inside an ignored record")
    #expect(try held.next([2]) == .needMore)
    #expect(held.reader.isIdle)
    #expect(try held.next(begin + params + params) == .needMore)
    #expect(!held.reader.isIdle, "inside PARAMS")
  }

  @Test func answerableIDIsKnownWhenTheHeadIsRefused() {
    let held = HeldReader(FastCGIRequestReader.self)
    held.give(fastCGIRecord(type: 1, id: 0x0102, [0, 1, 1, 0, 0, 0, 0, 0]))
    held.give(fastCGIRecord(type: 4, id: 0x0102, Array(repeating: 0x41, count: 5000)))
    #expect(throws: FastCGIError.paramsTooLarge) { try held.next() }
    #expect(held.reader.requestID == 0x0102)
    #expect(held.reader.keepsConnection)
  }

  /// Random requests, cut at random, against what was meant.
  @Test func whatTheClientEncodesIsRead() {
    let seed = UInt64.random(in: 1...UInt64.max)
    var random = SeededRandom(seed)
    for _ in 0..<200 {
      let body = random.bytes(0...600)
      var params = (0..<Int.random(in: 0...12, using: &random)).map { index in
        (
          name: "N\(index)" + String(repeating: "X", count: Int.random(in: 0...140, using: &random)),
          value: String(repeating: "v", count: Int.random(in: 0...140, using: &random))
        )
      }
      params.append(("CONTENT_LENGTH", "\(body.count)"))
      var request = FastCGIClientRequest(params: params, body: body)
      request.id = Int.random(in: 1...65535, using: &random)
      request.keepsConnection = Bool.random(using: &random)
      request.paramsPiece = Int.random(in: 1...3000, using: &random)
      request.stdinPiece = Int.random(in: 1...300, using: &random)
      request.padding = Int.random(in: 0...255, using: &random)
      var expected = ["head variables stream=\(body.count)\(request.keepsConnection ? " persists" : "")"]
      expected += params.map { "variable \(Escapes.text($0.name.utf8))=\(Escapes.text($0.value.utf8))" }
      if !body.isEmpty { expected.append("body \"\(Escapes.text(body))\"") }
      let delivery = Transcript.Delivery(pieces: random.pieces(of: request.bytes.count), slides: true)
      let found = Transcript(FastCGIRequestReader.self, request.bytes, delivery).lines
      #expect(found == expected + ["end"], "SeededRandom(\(seed))")
    }
  }

  private func atBody() throws -> HeldReader<FastCGIRequestReader> {
    let held = HeldReader(FastCGIRequestReader.self)
    #expect(try held.next(begin + params + paramsEnd) == .head)
    return held
  }

  /// The range `count` bytes long that begins `back` bytes from the end of what was given.
  private func at(_ held: HeldReader<FastCGIRequestReader>, _ back: Int, _ count: Int) -> ByteRange {
    ByteRange(held.bytes.count + back, count)
  }
}
