import Testing
import Wire

/// Reason phrases, as the IANA registry has them.
@Suite struct StatusPhraseTests {
  @Test(arguments: [
    (100, "Continue"), (200, "OK"), (204, "No Content"), (304, "Not Modified"), (400, "Bad Request"),
    (404, "Not Found"), (413, "Content Too Large"), (414, "URI Too Long"), (417, "Expectation Failed"),
    (431, "Request Header Fields Too Large"), (500, "Internal Server Error"), (501, "Not Implemented"),
    (503, "Service Unavailable"), (505, "HTTP Version Not Supported"), (306, "Unknown"), (599, "Unknown"),
  ])
  func phrase(_ status: Int, _ phrase: String) {
    #expect(StatusPhrase.of(status).description == phrase)
  }

  @Test func everyPhraseIsALineOfVisibleText() {
    for status in 100...599 {
      let phrase = StatusPhrase.of(status).description
      #expect(!phrase.isEmpty && phrase.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }, "\(status)")
    }
  }

  @Test func everyErrorOfTheReadersHasOne() {
    for status in [HTTP1Error.bareLF.status, HTTP1Error.methodTooLong.status, SCGIError.bodyTooLarge.status] {
      #expect(StatusPhrase.of(status).description != "Unknown")
    }
  }
}
