import Testing
import Wire

/// The table of fields: look-up, bounds, and use for one request after another.
@Suite struct RequestHeadTests {
  @Test func firstOfSeveralIsFound() {
    var head = RequestHead(capacity: 3)
    #expect(head.append(name: ByteRange(0, 1), value: ByteRange(2, 3), known: .cookie))
    #expect(head.append(name: ByteRange(10, 1), value: ByteRange(12, 3), known: .cookie))
    #expect(head.append(name: ByteRange(20, 1), value: ByteRange(22, 3), known: .other))
    #expect(!head.append(name: ByteRange(30, 1), value: ByteRange(32, 3), known: .host), "full")
    #expect(head.count == 3)
    #expect(head.first(.cookie) == ByteRange(2, 3))
    #expect(head.first(.host) == nil && head.first(.other) == nil)
    #expect(head[1].value == ByteRange(12, 3) && head[1].known == .cookie)
  }

  @Test func resetForgetsEverything() {
    var head = RequestHead(capacity: 3)
    (head.method, head.target, head.path) = (ByteRange(1, 2), ByteRange(3, 4), ByteRange(5, 6))
    (head.authority, head.minorVersion, head.framing) = (ByteRange(7, 8), 0, .chunked)
    (head.persists, head.expectsContinue, head.isAuthorizer) = (true, true, true)
    #expect(head.append(name: ByteRange(0, 1), value: ByteRange(2, 3), known: .host))
    head.assembled.append("x")
    head.reset(form: .variables)
    #expect(head.form == .variables && head.count == 0 && head.first(.host) == nil)
    #expect(head.method.isEmpty && head.target.isEmpty && head.path.isEmpty && head.authority.isEmpty)
    #expect(head.minorVersion == 1 && head.framing == .none)
    #expect(!head.persists && !head.expectsContinue && !head.isAuthorizer && head.assembled.isEmpty)
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
  }
}
