// Where libraries are found: RPATH, RUNPATH, LD_LIBRARY_PATH, $ORIGIN and the linker's cache, in its order.
import Foundation
import Support
import Testing

@testable import Host

@Suite struct LibrarySearchTests {
  private let folder: TemporaryFolder
  private let nothing: LibraryCache

  init() throws {
    folder = try TemporaryFolder()
    nothing = LibraryCache(folder.file("none"))
  }

  /// A library of that name in each of the folders, and one that looks for it in `search`.
  private func seeker(_ folders: [String], _ search: String, isOld: Bool) throws -> LibrarySearch.Seeker {
    for place in folders { try LinkedApp.library(1, at: folder.file("\(place)/libdep.so.1")) }
    let path = try LinkedApp.build(
      "app", 1, with: folder.file("\(folders[0])/libdep.so.1"), in: folder,
      ["-Wl,-rpath,\(search)", isOld ? "-Wl,--disable-new-dtags" : "-Wl,--enable-new-dtags"])
    return LibrarySearch.Seeker(links: try #require(ElfLinks.of(path)), origin: folder.path)
  }

  private func found(_ seeker: LibrarySearch.Seeker, environment: String? = nil) -> [String] {
    LibrarySearch(environment: environment, cache: nothing).files("libdep.so.1", for: seeker)
      .map { $0.replacingOccurrences(of: folder.path + "/", with: "") }
  }

  @Test("DT_RPATH comes before LD_LIBRARY_PATH, DT_RUNPATH after it")
  func order() throws {
    let environment = "\(folder.file("none")):\(folder.file("e"))"
    let old = try seeker(["r", "e"], "", isOld: true)
    #expect(found(old, environment: environment) == ["r/libdep.so.1"])
    let new = try seeker(["r", "e"], "", isOld: false)
    #expect(found(new, environment: environment) == ["e/libdep.so.1"])
    #expect(found(new) == ["r/libdep.so.1"])
  }

  @Test("$ORIGIN is the folder of the library that looks", arguments: ["$ORIGIN/o", "${ORIGIN}/o"])
  func origin(search: String) throws {
    let seeker = try seeker(["o"], search, isOld: false)
    try FileManager.default.moveItem(atPath: folder.file("o"), toPath: folder.file("p"))
    try FileManager.default.createDirectory(atPath: folder.file("q"), withIntermediateDirectories: true)
    try FileManager.default.moveItem(atPath: folder.file("p"), toPath: folder.file("q/o"))
    let moved = LibrarySearch.Seeker(links: seeker.links, origin: folder.file("q"))
    #expect(found(moved) == ["q/o/libdep.so.1"])
  }

  @Test("what is no library for this machine is passed over")
  func otherMachine() throws {
    let seeker = try seeker(["r", "s"], folder.file("s"), isOld: false)
    let path = folder.file("r/libdep.so.1")
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[18] = 0xf3
    try bytes.write(to: URL(fileURLWithPath: path))
    #expect(found(seeker) == ["s/libdep.so.1"])
  }

  @Test("DT_RPATH is handed down to what a library loads, DT_RUNPATH is not")
  func handedDown() throws {
    for isOld in [true, false] {
      let app = try seeker(["r"], "", isOld: isOld)
      let below = app.library(ElfLinks(), at: folder.file("x/libmiddle.so"))
      #expect(found(below) == (isOld ? ["r/libdep.so.1"] : []))
    }
  }

  @Test("the system's cache names libc; a damaged one names nothing and ends nothing")
  func cache() throws {
    #expect(LibraryCache().files("libc.so.6").contains { $0.hasSuffix("/libc.so.6") })
    #expect(LibraryCache().files("libnobody.so.0").isEmpty)
    let whole = try Data(contentsOf: URL(fileURLWithPath: "/etc/ld.so.cache"))
    var random = SeededRandom(1)
    for _ in 0..<200 {
      var bytes = whole.prefix(Int.random(in: 0...whole.count, using: &random))
      for _ in 0..<20 where !bytes.isEmpty {
        bytes[Int.random(in: 0..<min(bytes.count, 4096), using: &random)] = UInt8.random(
          in: 0...255, using: &random)
      }
      let path = folder.file("cache")
      try bytes.write(to: URL(fileURLWithPath: path))
      _ = LibraryCache(path).files("libc.so.6")
    }
  }
}
