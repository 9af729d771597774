// A build of an application at work: which form is used, what load() learns, and what the operator may do
// to the file meanwhile.
import CNSGI
import Foundation
import Support
import Testing

@testable import Host

@Suite struct GenerationTests {
  @Test func referenceTakesASymbolAfterTheLastColon() {
    #expect(AppReference(parsing: "a.so") == AppReference(path: "a.so"))
    #expect(AppReference(parsing: "a.so:page") == AppReference(path: "a.so", symbol: "page"))
    #expect(AppReference(parsing: "/x:y/a.so") == AppReference(path: "/x:y/a.so"))
    #expect(AppReference(parsing: "/x:y/a.so:_p2") == AppReference(path: "/x:y/a.so", symbol: "_p2"))
    #expect(AppReference(parsing: "a.so:2p") == AppReference(path: "a.so:2p"))
    #expect(AppReference(parsing: "a.so:") == AppReference(path: "a.so:"))
    #expect(AppReference(parsing: ":page") == AppReference(path: ":page"))
  }

  @Test func plainForm() throws {
    let bench = try LoaderBench()
    let generation = try bench.load(try bench.place("both_forms", as: "shop.so"), symbol: "other")
    try generation.start()
    #expect(generation.name == "shop")
    #expect(generation.version.isEmpty)
    #expect(!generation.isThreadSafe)
    #expect(generation.callBlindly() == 5)
    generation.unload()
  }

  @Test func fullFormIsPreferred() throws {
    let bench = try LoaderBench()
    let path = try bench.place("both_forms")
    let generation = try bench.load(path)
    #expect(generation.name == "first")
    #expect(generation.version == "2")
    #expect(generation.isThreadSafe)
    #expect(generation.callBlindly() == 22)
    #expect(try bench.load(path, symbol: "application").callBlindly() == 11)
    #expect(try bench.load(path, symbol: "second_nsgi_entry").name == "second")
  }

  @Test func shortTableIsCompletedWithNothing() throws {
    let bench = try LoaderBench()
    let generation = try bench.load(try bench.place("short_table"))
    #expect(generation.version == "0.9")
    guard case .full(let app) = generation.form else {
      Issue.record("not the full form")
      return
    }
    #expect(app.load == nil && app.unload == nil && app.thread == nil && app.extension == nil)
    try generation.start()
    #expect(generation.callBlindly() == 77)
    generation.unload()
  }

  @Test func loadLearnsItsPlace() throws {
    let bench = try LoaderBench()
    let path = try bench.place("boot_report")
    let options = [
      Generation.Option(key: "color", value: "blue"), Generation.Option(key: "empty", value: ""),
    ]
    let generation = try bench.load(path, options: options, number: 7)
    let expected =
      "worker 2 of 4, generation 7, own table 1, host 1.1, cold 1, color=blue, empty="
    #expect(throws: LoadError.loadFailed(path: path, reason: expected)) {
      try generation.start(worker: 2, workers: 4)
    }
    #expect(!generation.isStarted)
  }

  @Test func loadAndUnloadRunOnce() throws {
    let bench = try LoaderBench()
    let generation = try bench.load(try bench.place("life"))
    func counter(_ name: String) throws -> Int32 {
      try #require(System.symbol(name, in: generation.handle)).load(as: Int32.self)
    }
    generation.unload()
    #expect(try counter("life_unloads") == 0)
    try generation.start()
    try generation.start()
    #expect(try counter("life_loads") == 1)
    #expect(generation.callBlindly() == 5)
    generation.unload()
    generation.unload()
    #expect(try counter("life_unloads") == 1)
    #expect(generation.state == nil)
    #expect(generation.isUnloadable)
  }

  /// The private copy is what runs: neither truncating nor overwriting the operator's file is felt.
  @Test func operatorsFileMayBeDestroyed() throws {
    let bench = try LoaderBench()
    let path = try bench.place("both_forms")
    let generation = try bench.load(path)
    let size = try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
    let file = open(path, O_RDWR)
    defer { close(file) }
    let garbage = [UInt8](repeating: 0xcc, count: size)
    #expect(pwrite(file, garbage, size, 0) == size)
    #expect(generation.callBlindly() == 22)
    #expect(ftruncate(file, 0) == 0)
    #expect(generation.callBlindly() == 22)
    #expect(try bench.refusal(path) == .badImage(path: path, .empty))
  }

  /// The same path with another build is another library, and both run.
  @Test func rebuiltFileIsLoadedAnew() throws {
    let bench = try LoaderBench()
    let path = try bench.place("both_forms")
    let old = try bench.load(path, number: 1)
    _ = try bench.place("short_table")
    let new = try bench.load(path, number: 2)
    #expect(old.callBlindly() == 22)
    #expect(new.callBlindly() == 77)
    #expect(old.copy.path != new.copy.path)
    // Even the same build has variables of its own.
    #expect(try bench.load(path).handle != new.handle)
  }

  /// $ORIGIN in the search path means the folder of the operator's file, not of the copy.
  @Test func librariesBesideTheAppAreFound() throws {
    let bench = try LoaderBench()
    try FileManager.default.createDirectory(
      atPath: bench.folder.file("lib"), withIntermediateDirectories: false)
    func build(_ name: String, _ source: String, _ options: [String]) throws -> String {
      let path = try bench.folder.write(source, to: "source.c")
      let (exit, output) = try ChildProcess.run(
        try Program.gcc.path(), ["-shared", "-fPIC", "-o", bench.folder.file(name), path] + options)
      #expect(exit == .status(0), "\(output)")
      return bench.folder.file(name)
    }
    let part = try build(
      "lib/libnsgi_part.so", "int part(void) { return 33; }", ["-Wl,-soname,libnsgi_part.so"])
    let app = try build(
      "app.so", "int part(void); int application(void) { return part(); }",
      [part, "-Wl,-rpath,$ORIGIN/lib"])
    #expect(try bench.load(app).callBlindly() == 33)
  }

  @Test func privateCopyIsPrivate() throws {
    let bench = try LoaderBench()
    let generation = try bench.load(try bench.place("both_forms"))
    func mode(_ path: String) throws -> Int {
      try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }
    #expect(try mode(bench.runtime.path) == 0o700)
    #expect(try mode(generation.copy.path) == 0o400)
    #expect(generation.copy.path.hasSuffix("/gen-1/app.so"))
    bench.runtime.remove()
    #expect(!FileManager.default.fileExists(atPath: bench.runtime.path))
    #expect(generation.callBlindly() == 22)
  }

  /// What a crashed server left goes after its time; what a running one holds, or another made, stays.
  @Test func leftoversAreSwept() throws {
    let bench = try LoaderBench()
    _ = try bench.load(try bench.place("plain"))
    let left = bench.folder.file("nsgi-1-abcdef")
    try FileManager.default.createDirectory(atPath: left + "/gen-1", withIntermediateDirectories: true)
    try Data([1]).write(to: URL(fileURLWithPath: left + "/gen-1/app.so"))
    let other = bench.folder.file("nsgi-open")
    try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: false)
    #expect(chmod(left, 0o700) == 0 && chmod(other, 0o755) == 0)
    RuntimeDirectory.sweep(bench.folder.path, olderThan: 3600)
    #expect(FileManager.default.fileExists(atPath: left))
    RuntimeDirectory.sweep(bench.folder.path, olderThan: 0)
    #expect(!FileManager.default.fileExists(atPath: left))
    #expect(FileManager.default.fileExists(atPath: other))
    #expect(FileManager.default.fileExists(atPath: bench.runtime.path))
  }
}
