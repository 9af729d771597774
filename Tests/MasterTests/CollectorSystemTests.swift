// What the process that distributes lines asks of the system: nothing of it waits, and nothing goes by a name
// that leads elsewhere by now.
import CLinux
import Config
import Foundation
import Support
import Testing

@testable import Master

@Suite struct CollectorSystemTests {
  @Test("addresses of logs are made without asking anybody")
  func names() throws {
    let own = try SocketName(.inet(host: "localhost", port: 514))
    #expect(own.family == AF_INET && own.length == socklen_t(MemoryLayout<sockaddr_in>.size))
    let bytes = withUnsafeBytes(of: own.storage) { Array($0[..<8]) }
    #expect(bytes[2...] == [2, 2, 127, 0, 0, 1])
    #expect(try SocketName(.inet(host: "", port: 1)).family == AF_INET)
    #expect(try SocketName(.inet(host: "::1", port: 514)).family == AF_INET6)
    #expect(throws: SystemError.self) { try SocketName(.inet(host: "log.example.org", port: 514)) }
  }

  @Test("a log is renamed, but not what another has put in its place")
  func renaming() throws {
    let folder = try TemporaryFolder()
    let (log, old) = (folder.file("log"), folder.file("old"))
    func open() throws -> Int32 { try System.openLogEnd(log) }
    let first = try open()
    defer { System.close(first) }
    try System.rename(first, log, to: old)
    #expect(!System.exists(log) && System.exists(old))
    chmod(folder.path, 0o777)
    let second = try open()
    defer { System.close(second) }
    // Somebody who may write there has another file in its place.
    rename(log, folder.file("moved"))
    try "other".write(toFile: log, atomically: false, encoding: .utf8)
    #expect(throws: SystemError.self) { try System.rename(second, log, to: old) }
    #expect(System.exists(log))
    symlink(folder.file("moved"), folder.file("link"))
    #expect(throws: SystemError.self) { try System.rename(second, folder.file("link"), to: old) }
    try System.rename(second, folder.file("moved"), to: old)
    #expect(!System.exists(folder.file("moved")))
  }
}
