// Everything that cannot be loaded is refused with a sentence, and nothing of it crashes the server.
import Foundation
import Support
import Testing

@testable import Host

@Suite struct LoadErrorTests {
  @Test func missingFile() throws {
    let bench = try LoaderBench()
    let path = bench.folder.file("none.so")
    #expect(try bench.refusal(path) == .missing(path: path))
    let below = try bench.place(Data([1]), as: "file") + "/x.so"
    #expect(try bench.refusal(below) == .missing(path: below))
  }

  @Test func notAFile() throws {
    let bench = try LoaderBench()
    #expect(try bench.refusal(bench.folder.path) == .notAFile(path: bench.folder.path))
    #expect(try bench.refusal("/dev/zero") == .notAFile(path: "/dev/zero"))
    let fifo = bench.folder.file("fifo")
    #expect(mkfifo(fifo, 0o600) == 0)
    #expect(try bench.refusal(fifo) == .notAFile(path: fifo))
  }

  /// open() of a unix socket fails for everybody, root included.
  @Test func unreadableFile() throws {
    let bench = try LoaderBench()
    let path = bench.folder.file("socket")
    let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(fd) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    #expect(bound == 0)
    guard case .unreadable = try bench.refusal(path) else {
      Issue.record("a socket was read")
      return
    }
  }

  /// A file of /proc grows while it is read, as one does that is being built.
  @Test func changingFile() throws {
    let bench = try LoaderBench()
    #expect(try bench.refusal("/proc/self/maps") == .changing(path: "/proc/self/maps"))
  }

  @Test func notALibrary() throws {
    let bench = try LoaderBench()
    let text = try bench.place(Data("#!/bin/sh\necho hello\n".utf8), as: "script.so")
    #expect(try bench.refusal(text) == .badImage(path: text, .notELF))
    let empty = try bench.place(Data(), as: "empty.so")
    #expect(try bench.refusal(empty) == .badImage(path: empty, .empty))
    let program = try bench.place(
      try Data(contentsOf: URL(fileURLWithPath: "/bin/true")), as: "program.so")
    #expect(try bench.refusal(program) == .badImage(path: program, .notShared("an executable")))
  }

  @Test func truncatedLibrary() throws {
    let bench = try LoaderBench()
    let whole = try Data(contentsOf: URL(fileURLWithPath: try FixtureApp.path("plain")))
    for part in [1, 2, 3, 4, 10, 50, 90, 99] {
      let path = try bench.place(whole.prefix(whole.count * part / 100), as: "cut\(part).so")
      guard case .badImage(path, .truncated) = try bench.refusal(path) else {
        Issue.record("\(part) % of a library: \(try bench.refusal(path))")
        return
      }
    }
  }

  @Test(arguments: [
    (4, UInt8(1), "a 32-bit machine"), (5, UInt8(2), "a big-endian machine"), (18, UInt8(243), "riscv"),
  ])
  func wrongArchitecture(_ offset: Int, _ value: UInt8, _ name: String) throws {
    let bench = try LoaderBench()
    var bytes = try Data(contentsOf: URL(fileURLWithPath: try FixtureApp.path("plain")))
    bytes[offset] = value
    let path = try bench.place(bytes)
    guard case .badImage(path, .otherMachine(name, _)) = try bench.refusal(path) else {
      Issue.record("taken for \(try bench.refusal(path))")
      return
    }
  }

  @Test func undefinedSymbol() throws {
    let bench = try LoaderBench()
    let path = try bench.place("undefined_symbol")
    let error = try bench.refusal(path)
    guard case .unresolved = error else {
      Issue.record("\(error)")
      return
    }
    #expect(error.description.contains("nobody_has_this"))
  }

  @Test func noEntry() throws {
    let bench = try LoaderBench()
    let path = try bench.place("no_entry")
    #expect(try bench.refusal(path) == .noEntry(path: path, symbol: nil))
    #expect(try bench.refusal(path, symbol: "page") == .noEntry(path: path, symbol: "page"))
    let data = try bench.place("entry_is_data", as: "data.so")
    #expect(try bench.refusal(data) == .notAFunction(path: data, symbol: "nsgi_entry"))
  }

  @Test func handshake() throws {
    let bench = try LoaderBench()
    let path = bench.folder.file("app.so")
    let own = LoadError.Version(major: 1, minor: 1)
    let expected: [(String, LoadError)] = [
      ("later_major", .otherMajor(path: path, app: .init(major: 2, minor: 0), host: own)),
      ("later_minor", .newerMinor(path: path, app: .init(major: 1, minor: 9), host: own)),
      ("bad_magic", .badMagic(path: path, found: 0xfeed_beef)),
      ("bad_size", .badSize(path: path, size: 32, least: 40)),
      ("no_call", .noCall(path: path)),
      ("refuses_host", .refusedHost(path: path)),
    ]
    for (fixture, error) in expected {
      _ = try bench.place(fixture)
      #expect(try bench.refusal(path) == error, "\(fixture)")
    }
  }

  @Test func versionsAreNamedInTheSentence() throws {
    let bench = try LoaderBench()
    let path = try bench.place("later_minor")
    let text = try bench.refusal(path).description
    #expect(text.contains("1.9") && text.contains("1.1"), "\(text)")
  }

  @Test func laterHostTakesTheLaterMinor() throws {
    let bench = try LoaderBench(host: BareHost(minor: 9))
    let generation = try bench.load(try bench.place("later_minor"))
    #expect(generation.name == "later_minor")
  }

  @Test func loadFails() throws {
    let bench = try LoaderBench()
    let path = try bench.place("load_fails")
    #expect(try bench.refusal(path) == .loadFailed(path: path, reason: "the answers are not there yet"))
  }

  @Test func noRuntimeDirectory() throws {
    #expect(throws: LoadError.self) { try RuntimeDirectory.create(in: "/nowhere/at/all") }
  }

  @Test func exitCode() { #expect(LoadError.exitCode == 22) }
}
