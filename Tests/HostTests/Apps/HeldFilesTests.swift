import Control
import Foundation
import Support
import Testing

@testable import Host

@Suite struct HeldFilesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("a held file is the one that was opened, whatever lies at its path by now")
  func replaced() throws {
    let path = try folder.write("of the master", to: "libx.so")
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    let held = HeldFiles(
      program: "/bin/server", [HeldFile(kind: .worker, descriptor: descriptor, path: path)])
    let other = try folder.write("of a package", to: "other")
    #expect(rename(other, path) == 0)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "of a package")
    #expect(try String(contentsOfFile: held.place(of: path), encoding: .utf8) == "of the master")
    #expect(unlink(path) == 0)
    #expect(held.exists(path))
    #expect(try String(contentsOfFile: held.place(of: path), encoding: .utf8) == "of the master")
  }

  @Test("a file that is not held is the one at its path")
  func notHeld() throws {
    let held = HeldFiles(program: "/bin/server")
    let path = try folder.write("", to: "liby.so")
    #expect(held.exists(path) && held.place(of: path) == path)
    #expect(!held.exists(folder.file("libz.so")))
  }
}
