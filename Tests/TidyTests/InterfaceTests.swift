// nsgi.h is a contract: what it declares changes only on purpose.
import Foundation
import Testing

@Suite struct InterfaceTests {
  private func members(of structure: String) throws -> [String] {
    let header = try String(
      contentsOfFile: "\(SourceFile.root)/Sources/CNSGI/include/nsgi.h", encoding: .utf8)
    let end = try #require(header.range(of: "} \(structure);"))
    let start = try #require(
      header[..<end.lowerBound].range(of: "typedef struct \(structure) {", options: .backwards))
    var body = String(header[start.upperBound..<end.lowerBound])
    while let open = body.range(of: "/*"), let close = body.range(of: "*/") {
      body.removeSubrange(open.lowerBound..<close.upperBound)
    }
    return body.split(separator: ";").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
      .filter { !$0.isEmpty }
  }

  @Test("the tables have the members that were agreed on; a new one comes at the end, with its line here")
  func memberCounts() throws {
    #expect(try members(of: "nsgi_environ").count == 4)
    #expect(try members(of: "nsgi_host").count == 21)
    #expect(try members(of: "nsgi_app").count == 11)
    #expect(try members(of: "nsgi_ws_handlers").count == 4)
    #expect(try members(of: "nsgi_websocket").count == 17)
  }

  @Test("the interface stays small enough to be learnt in an hour")
  func headerLength() throws {
    let header = SourceFile.all(in: ["Sources/CNSGI/include"], suffixes: ["nsgi.h"])
    let lines = try #require(header.first).lines
    // WebSockets, which most applications have none of, come behind it.
    let core = lines.prefix { !$0.hasPrefix("/* ==== nsgi.websocket") }
    #expect(core.count <= 380 && lines.count <= 480)
  }

  @Test("nsgi.h includes nothing but two headers of the language")
  func headerStandsAlone() throws {
    let header = try #require(SourceFile.all(in: ["Sources/CNSGI/include"], suffixes: ["nsgi.h"]).first)
    let includes = header.lines.filter { $0.hasPrefix("#include") }
    #expect(includes == ["#include <stddef.h>", "#include <stdint.h>"])
  }
}
