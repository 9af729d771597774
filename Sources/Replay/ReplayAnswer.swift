import Control

/// A build's answer to a replayed request.
struct ReplayAnswer: Equatable, Sendable {
  /// A field of its head, the name in lower case.
  struct Field: Equatable, Sendable {
    let name: String
    let value: String
  }

  /// 0: there is none.
  var status = 0
  /// In the order of the head.
  var fields: [Field] = []
  /// The body, up to a bound.
  var body: [UInt8] = []
  /// Bytes of the whole body, and their hash.
  var length = 0
  var hash = FNV1a.basis
  /// From the request's first byte to the answer's last one.
  var microseconds: UInt64 = 0
  /// Why it is no answer, to follow "was not answered"; nil for one that is whole.
  var fault: String?

  /// The values of a field, in order.
  func values(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

  /// The body is kept whole.
  var isKept: Bool { body.count == length }

  /// How bad it is: an error of the client's, one of the server's, none at all.
  var rank: Int {
    if fault != nil || status == 0 { return 3 }
    return status >= 500 ? 2 : status >= 400 ? 1 : 0
  }

  /// "500", or why there is none.
  var words: String { fault.map { "nothing (\($0))" } ?? "\(status)" }
}

/// Takes the bytes of an answer as SCGI carries it: a head like that of CGI, then the body up to the end of
/// the connection.
struct AnswerReader {
  private(set) var answer = ReplayAnswer()
  private var head: [UInt8] = []
  private var hasHead = false
  /// Bytes of the body that are kept.
  private let most: Int

  private static let headEnd = Array("\r\n\r\n".utf8)

  init(most: Int) { self.most = most }

  /// Bytes that have come.
  var count: Int { head.count + answer.length }

  mutating func take(_ bytes: ArraySlice<UInt8>) {
    guard !hasHead else { return takeBody(bytes) }
    let known = max(0, head.count - 3)
    head += bytes
    guard let end = ByteSearch.first(AnswerReader.headEnd, in: head, from: known) else { return }
    let body = Array(head[(end + 4)...])
    head.removeSubrange(end...)
    hasHead = true
    readHead()
    takeBody(body[...])
  }

  private mutating func takeBody(_ bytes: ArraySlice<UInt8>) {
    answer.length += bytes.count
    answer.hash = FNV1a.hash(bytes, from: answer.hash)
    answer.body += bytes.prefix(max(0, most - answer.body.count))
  }

  private mutating func readHead() {
    for line in head.split(separator: UInt8(ascii: "\n")) {
      let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
      let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
      let value = line[(colon + 1)...].drop { $0 == UInt8(ascii: " ") }
      let text = String(decoding: value, as: UTF8.self)
      if name == "status" {
        answer.status = Int(text.prefix(3)) ?? 0
      } else {
        answer.fields.append(ReplayAnswer.Field(name: name, value: text))
      }
    }
  }

  /// The connection has ended: an answer that announced more than came is none.
  ///
  /// - Parameter isHead: the request was HEAD.
  mutating func end(isHead: Bool) {
    guard answer.status != 0 else {
      answer.fault = count == 0 ? "the connection was closed" : "it has no head"
      return
    }
    let isBodiless = isHead || answer.status == 204 || answer.status == 304
    guard !isBodiless, let announced = answer.values("content-length").last.flatMap({ Int($0) }),
      answer.length < announced
    else { return }
    answer.fault = "it broke off after \(answer.length) of \(announced) bytes"
  }
}
