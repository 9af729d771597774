// What was counted when the server's inside was put in order, so that it does not come back unnoticed.
import Foundation
import Testing

@Suite struct HouseTests {
  private static let host = SourceFile.sources.filter { $0.module == "Host" }

  /// A line of the host's code.
  private struct Place {
    let file: SourceFile
    let number: Int

    func isIn(_ folders: [String]) -> Bool {
      folders.contains { file.path.hasPrefix("Sources/Host/\($0)") }
    }
  }

  /// Lines of code in which a pattern occurs.
  private static func places(_ pattern: String) throws -> [Place] {
    let expression = try NSRegularExpression(pattern: pattern)
    var found: [Place] = []
    for file in host {
      for (number, line) in file.code.enumerated() {
        let whole = NSRange(location: 0, length: (line as NSString).length)
        guard expression.firstMatch(in: line, range: whole) != nil else { continue }
        found.append(Place(file: file, number: number))
      }
    }
    return found
  }

  /// Records each place of a pattern that is not in one of some files or folders.
  private static func confine(_ pattern: String, to allowed: [String], _ advice: String) throws {
    let found = try places(pattern)
    #expect(!found.isEmpty, "nothing matches \(pattern): correct it")
    for place in found where !place.isIn(allowed) {
      Issue.record("\(place.file.finding(place.number, advice))")
    }
  }

  @Test("the worker has few fields: what belongs together is a part of it")
  func fieldsOfTheWorker() throws {
    let file = try #require(Self.host.first { $0.name == "Worker.swift" })
    let fields = file.code.filter {
      ($0.hasPrefix("  let ") || $0.hasPrefix("  var ")) && !$0.hasSuffix("{")
    }
    let count = fields.count
    #expect(count > 10 && count <= 32, "\(count) stored fields; put those that belong together into a part")
  }

  @Test("bytes are read without a word about where records lie")
  func accessors() {
    let reading = [
      "Connection/Accepting.swift", "Connection/KeptInput.swift", "Connection/Preface.swift",
      "Connection/RingCompletions.swift", "Request/BodyStream.swift", "Request/Life.swift",
      "Request/Outstanding.swift", "Request/Receiving.swift", "Request/RequestBody.swift",
      "Worker/RingTurn.swift",
    ]
    let fields = ["connection", "exchange", "outlet", "record"].map { "\($0).pointee." }
    let files = Self.host.filter { file in reading.contains { file.path.hasSuffix("/\($0)") } }
    #expect(files.count == reading.count)
    for file in files {
      for (number, line) in file.code.enumerated() where fields.contains(where: { line.contains($0) }) {
        Issue.record("\(file.finding(number, "use an accessor of the record's pointer"))")
      }
    }
  }

  @Test("an exchange gets its record and its way out where it begins, and uses its own")
  func outlets() throws {
    let begins = ["Request/Life.swift", "WebSocket/SocketInput.swift"]
    let advice = "only the beginning of an exchange ties it to a record and its outlet"
    try Self.confine("\\bexchange\\.outlet = ", to: begins, advice)
    try Self.confine("\\bexchange\\.connection = ", to: begins, advice)
    try Self.confine("\\.exchange = ", to: begins + ["Connection/ConnectionPointer.swift"], advice)
    for place in try Self.places("\\bexchange\\.connection\\.outlet\\b") {
      Issue.record("\(place.file.finding(place.number, "use the outlet of the exchange"))")
    }
  }

  @Test("protocols are told apart where sockets are bound and recognised, and in HTTP/2's own folder")
  func protocols() throws {
    try Self.confine(
      "(==|!=|case) \\.(http1|http2|scgi|uwsgi|fastcgi|cgi)\\b",
      to: ["Connection/Listener.swift", "Connection/Preface.swift"],
      "ask the Gateway, or leave it to the ResponseEncoder")
    try Self.confine("\\w+ResponseWriter\\b", to: ["HTTP2/"], "use the ResponseEncoder")
  }
}
