import Testing

@testable import Wire

/// The table of fields: look-up, bounds, and use for one request after another.
@Suite struct RequestHeadTests {
  @Test func firstOfSeveralIsFound() {
    var head = RequestHead(capacity: 3)
    let taken = [
      head.append(name: ByteRange(0, 1), value: DelimitedRange(range: ByteRange(2, 3)), known: .cookie),
      head.append(name: ByteRange(10, 1), value: DelimitedRange(range: ByteRange(12, 3)), known: .cookie),
      head.append(name: ByteRange(20, 1), value: DelimitedRange(range: ByteRange(22, 3)), known: .other),
      head.append(name: ByteRange(30, 1), value: DelimitedRange(range: ByteRange(32, 3)), known: .host),
    ]
    let (count, second) = (head.count, head[1])
    let (cookie, host, other) = (head.first(.cookie), head.first(.host), head.first(.other))
    #expect(taken == [true, true, true, false] && count == 3)
    #expect(cookie?.range == ByteRange(2, 3) && host == nil && other == nil)
    #expect(second.value.range == ByteRange(12, 3) && second.known == .cookie)
  }

  @Test func resetForgetsEverything() {
    var head = RequestHead(capacity: 3)
    let range = DelimitedRange(range: ByteRange(1, 2))
    (head.method, head.target, head.path) = (range, range, range)
    (head.authority, head.minorVersion, head.framing) = (ByteRange(7, 8), 0, .chunked)
    (head.persists, head.expectsContinue, head.isAuthorizer) = (true, true, true)
    (head.statesLength, head.mayHaveChunks, head.hasWholePath) = (true, true, true)
    _ = head.append(name: ByteRange(0, 1), value: DelimitedRange(range: ByteRange(2, 3)), known: .host)
    head.assembled.append("x")
    head.reset(form: .variables)
    let (form, count, host, version) = (head.form, head.count, head.first(.host), head.minorVersion)
    let (framing, assembled) = (head.framing, head.assembled.count)
    let ranges = [head.method.range, head.target.range, head.path.range, head.authority]
    let flags = [
      head.persists, head.expectsContinue, head.isAuthorizer, head.statesLength, head.mayHaveChunks,
      head.hasWholePath,
    ]
    #expect(form == .variables && count == 0 && host == nil && version == 1)
    #expect(ranges.allSatisfy(\.isEmpty) && framing == .none && assembled == 0)
    #expect(!flags.contains(true))
  }

  @Test("a range that is not there owns no byte: nothing is written for it")
  func noneIsCopied() {
    var head = RequestHead(capacity: 1)
    var arena = Arena(size: 64)
    var bytes: [UInt8] = [1, 2, 3]
    head.end = 3
    let count = bytes.withUnsafeMutableBytes { head.ended(.none, $0.baseAddress!, &arena).count }
    #expect(count == 0 && bytes == [1, 2, 3])
  }

  @Test func knownNamesAreFieldsInAnyCaseAndVariablesInUpperCase() {
    func field(_ text: String) -> KnownName { Array(text.utf8).withUnsafeBytes { KnownName.field($0) } }
    func variable(_ text: String) -> KnownName { Array(text.utf8).withUnsafeBytes { KnownName.variable($0) } }
    #expect(field("hOST") == .host && field("Transfer-Encoding") == .transferEncoding)
    #expect(field("Content-Length") == .contentLength && field("Content_Length") == .other)
    #expect(field("HTTP_HOST") == .other && field("") == .other)
    #expect(variable("HTTP_HOST") == .host && variable("http_host") == .other && variable("HOST") == .other)
    #expect(variable("CONTENT_LENGTH") == .contentLength)
    #expect(variable("HTTP_CONTENT_LENGTH") == .httpContentDouble)
    #expect(variable("HTTP_") == .other && variable("") == .other)
    #expect(variable("wsgi.input") == .reserved && variable("nsgi.version") == .reserved)
    #expect(variable("wsgi_input") == .other && variable("wsgi.") == .other && variable("WSGI.x") == .other)
  }
}
