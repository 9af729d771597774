// What the fixture `generations` writes down, and the gates at which its calls wait.
import Foundation
import Support
import Testing

@testable import Host

/// What the generations of one bench have written down.
final class Book {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func options(_ version: Int) -> [Generation.Option] {
    [
      Generation.Option(key: "version", value: "\(version)"),
      Generation.Option(key: "log", value: folder.file("log.\(version)")),
    ]
  }

  func lines(_ version: Int) -> [String] {
    let text = (try? String(contentsOfFile: folder.file("log.\(version)"), encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map(String.init)
  }

  /// Where a call waits.
  func gate(_ name: String) -> String { folder.file(name) }
  func open(_ name: String) throws { try folder.write("", to: "\(name).open") }
  func awaitCall(_ name: String) throws {
    try Deadline.usual.wait(for: "the call at \(name)") {
      access(folder.file("\(name).entered"), F_OK) == 0 ? () : nil
    }
  }
}
