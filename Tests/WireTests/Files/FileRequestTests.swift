import Testing

@testable import Wire

/// Ranges, conditions, codings and paths of files, row by row.
@Suite struct FileRequestTests {
  private func bytes<R>(_ text: String, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    var text = text
    return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
  }

  // MARK: Range

  static let ranges: [(String, ByteRanges)] = [
    ("bytes=0-0", .one(0..<1)), ("bytes=0-", .one(0..<100)), ("bytes=10-19", .one(10..<20)),
    ("BYTES=10-19", .one(10..<20)), ("bytes=90-200", .one(90..<100)), ("bytes=-5", .one(95..<100)),
    ("bytes=-500", .one(0..<100)), ("bytes=99-99", .one(99..<100)), ("bytes= 1-2 ", .one(1..<3)),
    ("bytes=0-18446744073709551616", .one(0..<100)), ("bytes=0-9223372036854775807", .one(0..<100)),
    ("bytes=100-", .unsatisfiable), ("bytes=-0", .unsatisfiable), ("bytes=500-600", .unsatisfiable),
    ("bytes=18446744073709551616-", .unsatisfiable), ("bytes=100-,200-", .unsatisfiable),
    ("bytes=0-1,5-6", .several([0..<2, 5..<7])), ("bytes=5-6, 0-1", .several([5..<7, 0..<2])),
    ("bytes=0-1,,5-6,", .several([0..<2, 5..<7])), ("bytes=0-1,200-300", .one(0..<2)),
    ("bytes=0-,0-", .whole), ("bytes=0-60,30-99", .whole),
    ("bytes=0-0,1-1,2-2,3-3,4-4", .whole),
    ("bytes=", .whole), ("bytes", .whole), ("", .whole), ("bytes=-", .whole), ("bytes=a-b", .whole),
    ("bytes=5-1", .whole), ("bytes=1", .whole), ("bytes=1-2-3", .whole), ("bytes=0-1,x", .whole),
    ("bytes=+1-2", .whole), ("bytes=1 -2", .whole), ("items=0-1", .whole), ("bytes =0-1", .whole),
    ("bytes=--1", .whole), ("bytes=0x1-2", .whole), ("bytes=,", .whole),
  ]

  @Test("a range of a file of a hundred bytes", arguments: ranges)
  func range(text: String, wanted: ByteRanges) {
    #expect(bytes(text) { ByteRanges($0, size: 100, limit: 4) } == wanted)
  }

  @Test("an empty file has no part, but for nothing at its end") func emptyFile() {
    #expect(bytes("bytes=0-") { ByteRanges($0, size: 0, limit: 4) } == .unsatisfiable)
    #expect(bytes("bytes=-1") { ByteRanges($0, size: 0, limit: 4) } == .unsatisfiable)
  }

  @Test("ranges that overlap are not added up beyond what a number holds") func largestFile() {
    let text = "bytes=0-9000000000000000000,0-9000000000000000000"
    #expect(bytes(text) { ByteRanges($0, size: .max, limit: 4) } == .whole)
  }

  // MARK: Conditions

  private static let date = "Sun, 06 Nov 1994 08:49:37 GMT"
  private static let earlier = "Sun, 06 Nov 1994 08:49:36 GMT"
  private static let later = "Sun, 06 Nov 1994 08:49:38 GMT"

  static let conditions: [(String, FileVerdict)] = [
    ("", .send), ("If-None-Match: \"v1\"", .notModified), ("If-None-Match: W/\"v1\"", .notModified),
    ("If-None-Match: \"v0\", \"v1\"", .notModified), ("If-None-Match: *", .notModified),
    ("If-None-Match: \"a,b\" ,\"v1\"", .notModified), ("If-None-Match: \"v0\"", .send),
    ("If-None-Match: v1", .send), ("If-None-Match: \"v1", .send), ("If-None-Match: \"V1\"", .send),
    ("If-None-Match: \"v0\"\r\nIf-None-Match: \"v1\"", .notModified),
    ("If-Modified-Since: \(date)", .notModified), ("If-Modified-Since: \(later)", .notModified),
    ("If-Modified-Since: \(earlier)", .send), ("If-Modified-Since: yesterday", .send),
    ("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", .notModified),
    ("If-Modified-Since: Sun Nov  6 08:49:37 1994", .notModified),
    ("If-None-Match: \"v0\"\r\nIf-Modified-Since: \(date)", .send),
    ("If-Match: \"v1\"", .send), ("If-Match: *", .send), ("If-Match: W/\"v1\"", .preconditionFailed),
    ("If-Match: \"v0\"", .preconditionFailed), ("If-Match: \"v0\", \"v1\"", .send),
    ("If-Unmodified-Since: \(date)", .send), ("If-Unmodified-Since: \(earlier)", .preconditionFailed),
    ("If-Unmodified-Since: no date", .send),
    ("If-Match: \"v1\"\r\nIf-Unmodified-Since: \(earlier)", .send),
    ("If-Match: \"v1\"\r\nIf-None-Match: \"v1\"", .notModified),
    ("If-Match: \"v0\"\r\nIf-None-Match: \"v1\"", .preconditionFailed),
    ("Range: bytes=0-1\r\nIf-Range: \"v1\"", .send), ("Range: bytes=0-1\r\nIf-Range: \"v0\"", .sendWhole),
    ("Range: bytes=0-1\r\nIf-Range: W/\"v1\"", .sendWhole), ("Range: bytes=0-1\r\nIf-Range: \(date)", .send),
    ("Range: bytes=0-1\r\nIf-Range: \(later)", .sendWhole),
    ("Range: bytes=0-1\r\nIf-Range: \(earlier)", .sendWhole),
    ("Range: bytes=0-1\r\nIf-Range: v1", .sendWhole), ("If-Range: \"v0\"", .send),
    ("If-None-Match: \"v1\"\r\nRange: bytes=0-1", .notModified),
    // Other fields with names as long.
    ("If-Matcx: \"v0\"\r\nIf-Any-Match1: *\r\nAf-None-Match: *", .send),
  ]

  /// Reads a head with these lines over HTTP, or the variables that a front end makes of them.
  private func withRequest<R>(_ lines: String, _ body: (FileRequest) -> R) throws -> R {
    var reader = HTTP1RequestReader(
      limits: HeadLimits(headBytes: 4096, fields: 16, chunkLineBytes: 100, bodyBytes: 100))
    var head = RequestHead(capacity: 16)
    let text = "GET / HTTP/1.1\r\nHost: x\r\n" + (lines.isEmpty ? "" : lines + "\r\n") + "\r\n"
    var bytes = Array(text.utf8)
    return try bytes.withUnsafeMutableBytes { room in
      var offset = 0
      let event = try reader.next(UnsafeRawBufferPointer(room).bytes, &offset, &head)
      guard case .head = event else { throw NotAHead() }
      return body(FileRequest(&head, room.baseAddress!))
    }
  }
  private struct NotAHead: Error {}

  @Test("conditions hold in the order of RFC 9110 §13.2.2", arguments: conditions)
  func condition(lines: String, wanted: FileVerdict) throws {
    let verdict = try withRequest(lines) { request in
      bytes("\"v1\"") { FileValidators(tag: $0, modified: 784_111_777).verdict(request, now: 1_700_000_000) }
    }
    #expect(verdict == wanted, "\(lines)")
  }

  @Test("a Range that comes twice is none") func rangeTwice() throws {
    #expect(try withRequest("Range: bytes=0-1\r\nRange: bytes=2-3") { $0.range == nil })
    #expect(try withRequest("Range: bytes=0-1") { $0.range != nil })
  }

  // MARK: Codings

  static let codings: [(String, [ContentCoding])] = [
    ("gzip", [.gzip]), ("x-gzip", [.gzip]), ("GZIP", [.gzip]), ("gzip, br", [.brotli, .gzip]),
    ("gzip, deflate, br, zstd", [.brotli, .zstandard, .gzip]), ("gzip;q=1, br;q=0.5", [.gzip, .brotli]),
    ("gzip;q=0", []), ("*", [.brotli, .zstandard, .gzip]), ("*;q=0.5, gzip", [.gzip, .brotli, .zstandard]),
    ("*, br;q=0", [.zstandard, .gzip]), ("gzip;q=0.5, identity", []), ("gzip;q=0.5, identity;q=0.5", [.gzip]),
    ("", []), ("deflate", []), ("gzip;q=2", []), ("gzip;q=x", []), ("gzip; q=0.001", [.gzip]),
    ("gzip;q=0.000", []), ("gzip;q=1.001", []), ("gzipped", []),
    (" br ; q=0.9 ,gzip;q=0.95", [.gzip, .brotli]),
  ]

  @Test("Accept-Encoding chooses the coding", arguments: codings)
  func coding(text: String, wanted: [ContentCoding]) {
    #expect(bytes(text) { ContentCoding.accepted([$0]) } == wanted, "\(text)")
  }

  // MARK: Paths

  static let rests: [(path: String, prefix: String, rest: String?)] = [
    ("/static/a.css", "/static", "a.css"), ("/static", "/static", ""), ("/static/", "/static", ""),
    ("/statics", "/static", nil), ("/static//etc/passwd", "/static", "etc/passwd"), ("/a", "", "a"),
    ("/static/a", "/static/", "a"), ("/favicon.ico", "/favicon.ico", ""), ("/x", "/static", nil),
  ]

  @Test("a prefix ends at the border of a segment", arguments: rests)
  func rest(path: String, prefix: String, rest: String?) {
    let found = bytes(path) {
      FilePath.rest($0, below: Array(prefix.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(found == rest)
  }

  @Test(
    "a path with dots or nothing for a segment, or with NUL, names no file",
    arguments: [
      "a//b", "//a", "a//", "//", "..", "../a", "a/..", "a/../b", ".", "./a", "a/./b", "/..", "a\0", "\0",
    ])
  func dots(path: String) { #expect(!bytes(path, FilePath.isPlain)) }

  @Test(
    "other paths may", arguments: ["a", "a/b", "", "/", "/a/", "...", ".a", "a..b", "..a/b..", "a\\..\\b"])
  func plain(path: String) { #expect(bytes(path, FilePath.isPlain)) }

  @Test(
    "names that begin with a dot are hidden, but .well-known",
    arguments: [
      (".git/config", true), ("a/.env", true), ("/.htpasswd", true), ("...", true), (".well-known/.x", true),
      (".well-known2", true), (".well-know", true), ("..a", true), ("a.b/c.", false), ("", false),
      ("/", false), (".well-known/security.txt", false), ("a/.well-known", false),
    ])
  func hidden(path: String, isHidden: Bool) { #expect(bytes(path, FilePath.hasHiddenName) == isHidden) }

  @Test("a directory is never taken for another host") func location() {
    func location(_ path: String, _ query: String = "") -> String {
      bytes(path) { path in
        bytes(query) { query in
          String(decoding: FilePath.location(ofDirectory: path, query: query), as: UTF8.self)
        }
      }
    }
    #expect(location("/a/b") == "/a/b/" && location("/a", "x=1") == "/a/?x=1")
    #expect(location("/a%b?c") == "/a%25b%3Fc/")
    #expect(location("//evil.example/a") == "/evil.example/a/")
    #expect(location("/\\evil.example") == "/evil.example/")
    #expect(location("/a\r\nX: y") == "/a%0D%0AX:%20y/" && location("/ä") == "/%C3%A4/")
  }

  @Test("media types are found by the last ending") func types() {
    var types = MediaTypes()
    #expect(types.type(of: "/a/b.css") == "text/css" && types.type(of: "A.HTML") == "text/html")
    #expect(
      types.type(of: "a.min.js") == "text/javascript" && types.type(of: "a.tar.gz") == "application/gzip")
    #expect(
      types.type(of: "css") == "application/octet-stream" && types.type(of: "/a.css/b").hasSuffix("stream"))
    types.add(file: "# types\ntext/x-new new\nimage/x-own css  # ours\n  application/x-other  o1 o2;\nbad\n")
    #expect(types.type(of: "a.new") == "text/x-new" && types.type(of: "a.css") == "image/x-own")
    #expect(
      types.type(of: "a.o2") == "application/x-other" && MediaTypes.field(of: "text/css").hasSuffix("utf-8"))
  }
}
