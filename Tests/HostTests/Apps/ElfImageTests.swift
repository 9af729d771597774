// The inspection of a library: what it finds, and that no damage to the file makes it read elsewhere.
import Foundation
import Support
import Testing

@testable import Host

@Suite struct ElfImageTests {
  private static func image(_ data: Data, _ wanted: [String] = ["application"]) throws -> ElfImage {
    // An exact allocation: reading past the end is noticed by a sanitizer, and often without.
    try Array(data).withUnsafeBytes { try ElfImage($0, wanted: wanted) }
  }

  private static func bytes(_ fixture: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: try FixtureApp.path(fixture)))
  }

  @Test func findsSymbolsAndLibraries() throws {
    let image = try Self.image(
      try Self.bytes("both_forms"), ["nsgi_entry", "application", "other", "call", "second"])
    #expect(image.symbols == ["nsgi_entry": .function, "application": .function, "other": .function])
    #expect(try Self.image(try Self.bytes("life")).needed == ["libc.so.6"])
    #expect(image.language == .c)
    #expect(image.pinned == nil)
    let data = try Self.image(try Self.bytes("entry_is_data"), ["nsgi_entry"])
    #expect(data.symbols == ["nsgi_entry": .data])
  }

  /// An undefined symbol is not an export.
  @Test func importsAreNotExports() throws {
    let image = try Self.image(try Self.bytes("undefined_symbol"), ["nobody_has_this", "application"])
    #expect(image.symbols == ["application": .function])
  }

  @Test func readsWhatTheLinkerWasTold() throws {
    let folder = try TemporaryFolder()
    let source = try folder.write(
      "_Thread_local int counter; int application(void) { return counter++; }", to: "app.c")
    func build(_ name: String, _ options: [String]) throws -> ElfImage {
      let library = folder.file(name)
      let (exit, output) = try ChildProcess.run(
        try Program.gcc.path(), ["-shared", "-fPIC", "-o", library, source] + options)
      #expect(exit == .status(0), "\(output)")
      return try Self.image(try Data(contentsOf: URL(fileURLWithPath: library)))
    }
    let marked = try build(
      "a.so",
      [
        "-Wl,-z,nodelete", "-Wl,-soname,libapp.so.1", "-Wl,-rpath,$ORIGIN/lib:/opt/x",
        "-Wl,--build-id=0xdeadbeef0001",
      ])
    #expect(marked.isNoDelete)
    #expect(marked.pinned != nil)
    #expect(marked.soname == "libapp.so.1")
    #expect(marked.searchPath == ["$ORIGIN/lib", "/opt/x"])
    #expect(marked.buildID == "deadbeef0001")
    #expect(marked.hasThreadLocals)
    #expect(!marked.needsStaticTLS)

    let bare = try build(
      "b.so", ["-Wl,--hash-style=sysv", "-Wl,--build-id=none", "-ftls-model=initial-exec"])
    #expect(bare.symbols == ["application": .function])
    #expect(bare.buildID == nil)
    #expect(!bare.isNoDelete)
    #expect(bare.needsStaticTLS)
  }

  /// Each compiler leaves its mark: Swift's metadata, Go's build information, rustc's comment.
  @Test(arguments: [
    (#"__attribute__((section("swift5_types"))) int mark = 1;"#, ElfImage.Language.swift),
    (#"__attribute__((section(".go.buildinfo"))) int mark = 1;"#, .go),
    (#"__asm__(".ident \"rustc version 1.95.0\"");"#, .rust),
  ])
  func recognisesLanguages(_ mark: String, _ language: ElfImage.Language) throws {
    let folder = try TemporaryFolder()
    let source = try folder.write(mark + "\nint application(void) { return 0; }\n", to: "app.c")
    let (exit, output) = try ChildProcess.run(
      try Program.gcc.path(), ["-shared", "-fPIC", "-o", folder.file("app.so"), source])
    #expect(exit == .status(0), "\(output)")
    let image = try Self.image(try Data(contentsOf: URL(fileURLWithPath: folder.file("app.so"))))
    #expect(image.language == language)
    #expect(image.pinned?.contains(language.rawValue) == true)
  }

  @Test func everyTruncationIsNoticed() throws {
    let whole = try Self.bytes("plain")
    let lengths = Array(0..<1100) + Array(stride(from: 1100, to: whole.count, by: 53)) + [whole.count - 1]
    for length in lengths {
      #expect(throws: ElfError.self, "\(length) of \(whole.count) bytes") {
        try Self.image(whole.prefix(length))
      }
    }
    #expect(try Self.image(whole).symbols == ["application": .function])
  }

  /// Whatever the bytes are, the answer is an image or an error.
  @Test func damageNeverCrashes() throws {
    let whole = try Self.bytes("both_forms")
    let seed: UInt64 = 0x5eed
    var state = seed
    func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    // The header, the program headers, the dynamic section, the hash and symbol tables, the section table.
    let places = [0..<64, 64..<700, 700..<2500, whole.count - 2400..<whole.count, 0..<whole.count]
    var refused = 0
    for round in 0..<4000 {
      var copy = whole
      for _ in 0...next(3) {
        let place = places[round % places.count]
        copy[place.lowerBound + next(place.count)] = [0, 1, 0x7f, 0x80, 0xff, UInt8(next(256))][next(6)]
      }
      if (try? Self.image(copy)) == nil { refused += 1 }
    }
    #expect(refused > 100, "seed \(seed)")
  }
}
