// Protocols recognised by their first bytes.
import Support
import Testing
import Wire

@Suite struct SnifferTests {
  /// Whatever the protocols' own fixtures begin with is recognised, and no verdict changes with more bytes.
  @Test(arguments: [
    (Gateway.http1, "http1"), (.fastcgi, "fastcgi"), (.scgi, "scgi"), (.uwsgi, "uwsgi"),
  ]) func everyValidFixtureIsRecognised(_ gateway: Gateway, _ folder: String) throws {
    for fixture in try Fixture.all(folder) where fixture.isValid && !Self.ambiguous.contains(fixture.name) {
      let verdict = verdict(fixture.input)
      #expect(verdict == .gateway(gateway), "\(fixture.name)")
      for count in 0..<min(fixture.input.count, 12) {
        let early = self.verdict(Array(fixture.input[..<count]))
        #expect(early == verdict || early == .needMore, "\(fixture.name), \(count) bytes")
        if count >= Sniffer.bytesAtMost { #expect(early == verdict, "\(fixture.name), \(count) bytes") }
      }
    }
  }

  /// Fixtures that begin like another protocol, or like none a connection begins with; the documentation of
  /// `Sniffer` names them.
  private static let ambiguous: Set<String> = [
    "uwsgi/valid/modifier_1", "uwsgi/valid/looks_like_http_but_is_not",
    "fastcgi/valid/management_unknown", "http1/valid/token_characters",
  ]

  @Test(
    arguments: [
      ("", Sniffer.Verdict.needMore), ("G", .needMore), ("GE", .gateway(.http1)), ("M-", .gateway(.http1)),
      ("A ", .gateway(.http1)), ("\r\nG", .gateway(.http1)), ("\r\r", .needMore), ("G\0", .unknown),
      ("12", .gateway(.scgi)),
      ("7:", .gateway(.scgi)), ("7,", .unknown), ("\u{1}\u{1}", .gateway(.fastcgi)),
      ("\u{1}\u{9}", .gateway(.fastcgi)), ("\u{1}\0", .unknown), ("\u{1}\u{c}", .unknown),
      ("\u{16}\u{3}", .unknown), ("\0\u{5}", .needMore), ("\0\u{5}\0\0", .needMore),
      ("\0\u{5}\0\0\u{1}", .gateway(.uwsgi)), ("\0\u{5}\0\0\u{2}", .unknown), ("\0\0\0\0", .unknown),
      ("\0\u{4}\0\0", .unknown), ("d\0\0\0", .gateway(.uwsgi)),
    ] as [(String, Sniffer.Verdict)]) func verdicts(_ text: String, _ expected: Sniffer.Verdict)
  {
    #expect(verdict(Array(text.utf8)) == expected, "\(Escapes.text(Array(text.utf8)))")
  }

  private func verdict(_ bytes: [UInt8]) -> Sniffer.Verdict {
    bytes.withUnsafeBytes { Sniffer.recognise($0) }
  }
}
