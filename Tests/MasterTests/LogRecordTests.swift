// What a line says of itself, and who is believed.
import Testing

@testable import Master

@Suite struct LogRecordTests {
  @Test(
    "the server's own words pass every drain; a client's never do, whatever a line of a request begins with",
    arguments: [
      ("server: ready", LogLevel.info, true), ("2026-01-01T00:00:00Z error: no room", .error, true),
      ("2026-01-01T00:00:00Z warning: late", .warning, true),
      ("2026-01-01T00:00:00Z info: started", .info, false), ("1.2.3.4 - - [] GET /", .info, false),
      ("2026-01-01T00:00:00Z error:x", .info, false), ("server:x", .info, false), ("", .info, false),
    ])
  func words(line: String, level: LogLevel, isServers: Bool) {
    let record = LogRecord(Array(line.utf8)[...])
    #expect(record.level == level && record.isServers == isServers)
    let request = LogRecord(Array(line.utf8)[...], isRequest: true)
    #expect(request.level == .info && !request.isServers)
    #expect(request.encoded([], for: nil) == Array(line.utf8))
  }
}
