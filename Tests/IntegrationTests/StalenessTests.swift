// Tests of a server that was built before an edit would pass or fail for another one.
import Foundation
import Support
import Testing

@Suite struct StalenessTests {
  private func touch(_ path: String, _ seconds: Double) throws {
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: seconds)], ofItemAtPath: path)
  }

  @Test("a program is refused when it is missing, or older than one of its sources")
  func staleness() throws {
    let folder = try TemporaryFolder()
    let program = folder.file("program")
    try folder.folder("sources/deep")
    for path in ["sources/deep/a.swift", "sources/b.c", "sources/notes.md"] {
      try folder.write("x", to: path)
      try touch(folder.file(path), 1000)
    }
    func reason() -> String? { Staleness.reason(of: program, sources: [folder.file("sources")]) }
    #expect(reason() == "is not there")
    try folder.write("x", to: "program")
    try touch(program, 1000)
    #expect(reason() == nil)
    try touch(folder.file("sources/deep/a.swift"), 1001)
    #expect(reason() == "is older than deep/a.swift")
    try touch(program, 1002)
    try touch(folder.file("sources/notes.md"), 2000)
    #expect(reason() == nil)
  }
}
