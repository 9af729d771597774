// Names that others may have a hand in: which links are followed, which files are taken, and that the
// directory which was found stays the one that is worked in.
import Foundation
import Glibc
import Support
import Testing

@testable import Host

@Suite struct GuardedTests {
  private static let stranger: uid_t = 54321
  private let folder: TemporaryFolder

  init() throws {
    try Root.require()
    folder = try TemporaryFolder()
  }

  private func directory(_ name: String, _ mode: mode_t, owner: uid_t = 0) throws -> String {
    let path = try folder.folder(name)
    chmod(path, mode)
    chown(path, owner, owner)
    return path
  }

  private func link(_ target: String, _ path: String, owner: uid_t) throws {
    try #require(symlink(target, path) == 0 && lchown(path, owner, owner) == 0)
  }

  private func code(_ path: String, _ flags: Int32 = O_WRONLY) -> Int32 {
    do throws(SystemError) {
      System.close(try System.openGuarded(path, flags, 0o600))
      return 0
    } catch { return error.code }
  }

  @Test("a link is followed where its owner could have written the file, or nobody else the link")
  func links() throws {
    let file = try folder.write("x", to: "file")
    for (number, (mode, owner, linkOwner, expected))
      in ([
        (0o755, 0, 0, 0), (0o755, 0, Self.stranger, 0), (0o1777, 0, 0, 0), (0o777, 0, 0, 0),
        (0o1777, 0, Self.stranger, ELOOP), (0o777, 0, Self.stranger, ELOOP), (0o775, 0, Self.stranger, ELOOP),
        (0o755, Self.stranger, Self.stranger, ELOOP), (0o755, Self.stranger, 0, 0),
      ] as [(mode_t, uid_t, uid_t, Int32)]).enumerated()
    {
      let place = try directory("links\(number)", mode, owner: owner)
      try link(file, "\(place)/link", owner: linkOwner)
      try link("..", "\(place)/up", owner: linkOwner)
      #expect(code("\(place)/link") == expected, "\(number)")
      #expect(code("\(place)/up/file") == expected, "\(number)")
    }
  }

  @Test("what can be said of a path is said as open(2) does")
  func plainPaths() throws {
    try folder.write("x", to: "file")
    try folder.folder("d/e")
    try link("loop", folder.file("loop"), owner: 0)
    try link("d/../d/e", folder.file("round"), owner: 0)
    try link("/" + folder.path + "//d", folder.file("d/absolute"), owner: 0)
    let long = String(repeating: "n", count: 256)
    for (path, expected) in [
      ("file", 0), ("./d/.././file", 0), ("round/../../file", 0), ("d/absolute/e/../../file", 0),
      ("file/", 0), ("file/x", ENOTDIR), ("d", EISDIR), ("missing", ENOENT), ("missing/file", ENOENT),
      ("loop", ELOOP), (long, ENAMETOOLONG), (String(repeating: "d/", count: 3000), ENAMETOOLONG),
    ] { #expect(code(folder.file(path)) == expected, "\(path)") }
    #expect(code("") == ENOENT && code("/") == EISDIR && code("/proc/self/fd/2", O_RDONLY) == 0)
    let made = folder.file("made")
    #expect(code(made, O_WRONLY | O_CREAT) == 0 && access(made, F_OK) == 0)
  }

  @Test("where others can write, a file is taken if it is ours alone, and never waited for")
  func files() throws {
    let place = try directory("shared", 0o1777)
    let owners: [(String, uid_t, Int32)] = [("ours", 0, 0), ("theirs", Self.stranger, EPERM)]
    for (name, owner, expected) in owners {
      try folder.write("x", to: "shared/" + name)
      chown("\(place)/\(name)", owner, owner)
      #expect(code("\(place)/\(name)", O_WRONLY | O_CREAT) == expected, "\(name)")
    }
    try #require(Glibc.link("\(place)/ours", "\(place)/second") == 0)
    #expect(code("\(place)/ours") == EPERM && code("\(place)/second") == EPERM)
    try #require(mkfifo("\(place)/pipe", 0o666) == 0)
    #expect(code("\(place)/pipe") == ENXIO && code("\(place)/pipe", O_RDONLY) == EPERM)
    // A directory's owner may have files in it, as far as they are files.
    let home = try directory("home", 0o755, owner: Self.stranger)
    try folder.write("x", to: "home/log")
    chown("\(home)/log", Self.stranger, Self.stranger)
    #expect(code("\(home)/log") == 0)
  }

  @Test("a directory that was found is the one that is worked in, whatever takes its name")
  func renamedDirectory() throws {
    let place = try directory("place", 0o755)
    try folder.write("victim", to: "victim")
    let found = try System.guardedName("\(place)/victim")
    try #require(rename(place, place + ".away") == 0 && symlink(folder.path, place) == 0)
    #expect(unlinkat(found.directory, found.name, 0) != 0)
    #expect(try String(contentsOfFile: folder.file("victim"), encoding: .utf8) == "victim")
  }

  @Test("a socket file is given away only if it is the one that was made")
  func socketFile() throws {
    let place = try directory("sockets", 0o755)
    let own = "\(place)/own"
    let socket = try ListeningSocket(.unix(path: own))
    System.close(try System.openSocketFile(own))
    try #require(Glibc.link(own, "\(place)/second") == 0)
    #expect(throws: SystemError.self) { System.close(try System.openSocketFile(own)) }
    unlink("\(place)/second")
    try link(own, "\(place)/link", owner: 0)
    try folder.write("x", to: "sockets/file")
    for name in ["link", "file", "missing"] {
      #expect(throws: SystemError.self) { System.close(try System.openSocketFile("\(place)/\(name)")) }
      #expect(throws: SystemError.self) { try System.unlinkSocket("\(place)/\(name)") }
    }
    chown(own, Self.stranger, Self.stranger)
    #expect(throws: SystemError.self) { System.close(try System.openSocketFile(own)) }
    try System.unlinkSocket(own)
    #expect(access(own, F_OK) != 0 && access("\(place)/link", F_OK) != 0)
    withExtendedLifetime(socket) {}
  }

  @Test("the server's directory goes with what is in it, and nothing beyond")
  func removing() throws {
    let precious = try folder.folder("precious")
    try folder.write("x", to: "precious/file")
    let runtime = try RuntimeDirectory.create(in: folder.path)
    let copies = try runtime.makeCopyDirectory()
    for path in ["\(runtime.path)/gen-evil", "\(copies)/inner", "\(copies)/app.so"] {
      try #require(symlink(precious, path) == 0)
    }
    // Another takes its name: what was made is what is removed.
    try #require(rename(runtime.path, folder.file("away")) == 0 && symlink(precious, runtime.path) == 0)
    runtime.remove()
    #expect(access("\(precious)/file", F_OK) == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("away")).isEmpty)
  }

  @Test("the systemd unit makes the directory that is looked in")
  func unit() throws {
    let unit = try Repository.text("docs/deploy/systemd/nsgi.service")
    #expect(unit.contains("\nRuntimeDirectory=\(RuntimeDirectory.service.dropFirst("/run/".count))\n"))
  }
}
