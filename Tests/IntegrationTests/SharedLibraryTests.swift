// Apps in one process that need different files of one library name.
import Foundation
import Support
import Testing

@Suite struct SharedLibraryTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// How the second app comes to its library.
  enum Way: String, CaseIterable { case linked, throughAnother, opened, byRPATH, besideItself }

  private func first() throws -> String {
    try LinkedApp.build(
      "first", 1, with: try LinkedApp.library(1, at: folder.file("r1/libdep.so.1")), in: folder)
  }

  private func second(_ way: Way) throws -> String {
    let dep = try LinkedApp.library(2, at: folder.file("r2/libdep.so.1"))
    switch way {
    case .linked: return try LinkedApp.build("second", 2, with: dep, in: folder)
    case .byRPATH:
      return try LinkedApp.build("second", 2, with: dep, in: folder, ["-Wl,--disable-new-dtags"])
    case .besideItself:
      return try LinkedApp.build("second", 2, with: dep, in: folder, ["-Wl,-rpath,$ORIGIN/r2"])
    case .throughAnother:
      // The first app's library has no such function: the linker would have something to say, too late.
      let dep = try LinkedApp.library(2, at: dep, function: "below_version")
      return try LinkedApp.build("second", 2, with: try middle(.init("below_version", dep)), in: folder)
    case .opened:
      _ = try middle(.init("dep_version", dep), function: "middle_version")
      return try LinkedApp.build("second", 2, with: nil, in: folder)
    }
  }

  /// A library between the second app and its libdep.so.1.
  private func middle(_ below: LinkedApp.Below, function: String = "dep_version") throws -> String {
    try LinkedApp.library(
      0, at: folder.file("libmiddle.so"), soname: "libmiddle.so", function: function, below: below)
  }

  private func options(_ first: String, _ second: String) -> [String] {
    [
      "--app", "/a=\(first)", "--app", "/b=\(second)", "--app-option",
      "/b:library=\(folder.file("libmiddle.so"))",
    ]
  }

  @Test(
    "the start is refused with both apps, the name and both files",
    arguments: Way.allCases, [["--no-master"], ["-p", "1"]])
  func refused(way: Way, mode: [String]) throws {
    let (first, second) = (try first(), try second(way))
    let (exit, output) = try ServerProcess.run(
      ["--http-socket", "127.0.0.1:0"] + mode + options(first, second))
    #expect(exit == .status(22), "\(output)")
    for word in ["/b (\(second))", "libdep.so.1", folder.file("r2/libdep.so.1")] {
      #expect(output.contains(word), "\(word) is not in: \(output)")
    }
    #expect(output.contains("/a (\(first)) has loaded \(folder.file("r1/libdep.so.1"))"), "\(output)")
    #expect(output.contains("serve them by two servers"), "\(output)")
  }

  @Test("CGI is no exception")
  func refusedInCGI() throws {
    let (exit, output) = try ServerProcess.run(
      ["--cgi"] + options(try first(), try second(.linked)), environment: ["REQUEST_METHOD": "GET"])
    #expect(exit == .status(22) && output.contains("serve them by two servers"), "\(output)")
  }

  @Test("functions of --call and an app are two users of a library too")
  func callAndApp() throws {
    let first = try first()
    let dep = try LinkedApp.library(2, at: folder.file("r2/libdep.so.1"))
    let called = try middle(.init("dep_version", dep), function: "called_version")
    let (exit, output) = try ServerProcess.run([
      "--http-socket", "127.0.0.1:0", "-p", "1", "--app", "/a=\(first)", "--call",
      "\(called):called_version() -> i32",
    ])
    #expect(exit == .status(22), "\(output)")
    #expect(output.contains("libdep.so.1"), "\(output)")
  }

  @Test("one file for both, or two that are the same, serve")
  func same() throws {
    let first = try first()
    let dep = folder.file("r1/libdep.so.1")
    let copy = folder.file("r3/libdep.so.1")
    try FileManager.default.createDirectory(atPath: folder.file("r3"), withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: dep, toPath: copy)
    for library in [dep, copy] {
      let second = try LinkedApp.build("second", 2, with: library, in: folder)
      let server = try ServerProcess(
        app: nil, ["--http-socket", "127.0.0.1:0", "-p", "1"] + options(first, second))
      #expect(try Curl.get(try server.url + "/a/").text == "app 1 library 1")
      #expect(try Curl.get(try server.url + "/b/").text == "app 2 library 1")
      #expect(!server.process.output.contains("libdep"), "\(server.process.output)")
      #expect(try server.stop() == .status(0))
    }
  }

  @Test("a library that the server itself has loaded from elsewhere is told, and serves")
  func serversOwn() throws {
    let own = folder.file("own/libm.so.6")
    try LinkedApp.library(7, at: own, soname: "libm.so.6", function: "some_version")
    // Linked for its own libm, of which it calls nothing.
    let dep = try LinkedApp.library(1, at: folder.file("r1/libdep.so.1"))
    let app = try LinkedApp.build(
      "app", 1, with: dep, in: folder,
      ["-Wl,--no-as-needed", own, "-Wl,-rpath,\(folder.file("own"))"])
    let server = try ServerProcess(app: app, ["--http-socket", "127.0.0.1:0", "-p", "1"])
    #expect(try Curl.get(try server.url).text == "app 1 library 1")
    #expect(
      server.process.output.contains("needs libm.so.6 from \(own) (for \(app)), and the server itself"),
      "\(server.process.output)")
    #expect(try server.stop() == .status(0))
  }

  @Test("libraries are found where the linker itself finds them", arguments: CheckTests.apps)
  func asTheLinker(name: String) throws {
    let app = Repository.app(name)
    let (exit, listing) = try ChildProcess.run("/usr/bin/ldd", [app])
    try #require(exit == .status(0), "\(listing)")
    let found = try CheckResult.of(app, loads: false).libraries
    for line in listing.split(separator: "\n") {
      let words = line.split(separator: " ").map { $0.trimmingCharacters(in: .whitespaces) }
      guard words.count >= 3, words[1] == "=>", words[2].hasPrefix("/") else { continue }
      let file = found.first { $0.name == words[0] }?.file
      #expect(
        file.map { URL(fileURLWithPath: $0).resolvingSymlinksInPath() }
          == URL(fileURLWithPath: words[2]).resolvingSymlinksInPath(), "\(line)")
    }
  }
}
