// Signatures against what the compiler wrote into the library: DWARF of both common versions, and BTF.
import Foundation
import Support
import Testing

@testable import FFICore

@Suite struct DebugInformationTests {
  static let kinds = [["-gdwarf-5"], ["-gdwarf-4"], ["-gdwarf-5", "-O0"], ["-gbtf", "-g0", "-gbtf"]]

  private func library(_ kind: [String]) throws -> String {
    try Sample.library(kind, "sample" + kind.joined())
  }

  /// The complaint about a signature; nil if the library agrees.
  private func complaint(_ text: String, _ kind: [String]) throws -> String? {
    let file = try library(kind)
    let signature = try SignatureParser.parse("\(file):\(text)").signature
    let declaration = DebugFile(file)?.declaration(of: signature.symbol)
    return Comparison.difference(signature, try #require(declaration, "\(text) in \(kind)"))
  }

  static let right = [
    "mix_i8(a: i8, b: i8) -> i8", "mix_u64(a: u64, b: u64) -> u64", "mix_bool(a: bool, b: bool) -> bool",
    "many(a: i8, b: f64, c: u16, d: f32, e: i64, f: bool, g: f64, h: u32, i: i16, j: f32) -> f64",
    "mirror(p: {x: f64, y: f64}) -> {x: f64, y: f64}", "length_of(p: *{x: f64, y: f64}) -> f64",
    "grow(s: {tag: i8, at: {x: f64, y: f64}, sizes: u16[3], weight: f32}, by: u16)"
      + " -> {tag: i8, at: {x: f64, y: f64}, sizes: u16[3], weight: f32}",
    "origin(known: bool) -> *{x: f64, y: f64}", "motto() -> cstr", "greeting(name: cstr) -> cstr free=free",
    "byte_sum(b: bytes) -> u64", "rot13(t: cstr, o: out[9], r: u64 = len(o)) -> i64 = len(o)",
    "last_error(m: out cstr free=free, f: bool) -> i32", "dot(a: f64[], b: f64[], n: u64 = len(a)) -> f64",
    "counter_open(s: i64) -> handle(c) free=counter_close", "counter_make(c: out handle(c), s: i64) -> i32",
    "work(n: i32, t: callback(p: u8) = count) -> i32", "by_reference_(x: *f64, n: *i32) -> f64",
    "scale(p: inout {x: f64, y: f64}, by: f64)",
  ]

  @Test("signatures that fit are accepted", arguments: kinds, right)
  func fits(kind: [String], text: String) throws { #expect(try complaint(text, kind) == nil) }

  static let wrong = [
    ("mix_i8(a: i8) -> i8", "it has 2 parameters, and the signature 1"),
    ("mix_i8(a: i8, b: i16) -> i8", "b is i8, and not i16"),
    ("mix_u64(a: u64, b: i64) -> u64", "b is u64, and not i64"),
    ("mix_f32(a: f32, b: f64) -> f32", "b is f32, and not f64"),
    ("mix_f64(a: f64, b: f64) -> f32", "the result is f64, and not f32"),
    ("mix_i32(a: i32, b: i32) -> cstr", "the result is i32, and no pointer to characters"),
    (
      "mirror(p: {x: f64}) -> {x: f64, y: f64}",
      "p is a struct of 16 bytes, and the signature's struct has 8"
    ),
    (
      "mirror(p: {x: f64, y: i64}) -> {x: f64, y: f64}",
      "p is a struct of 16 bytes, and its y is f64, and not i64"
    ),
    ("mirror(p: {x: f64, y: f64})", "the result is a struct of 16 bytes, and cannot be ignored"),
    ("length_of(p: {x: f64, y: f64}) -> f64", "p is a pointer to a struct of 16 bytes, and no struct"),
    ("length_of(p: *f64) -> f64", "p is a pointer to a struct of 16 bytes, and not f64"),
    ("greeting(name: i64) -> cstr", "name is a pointer to i8, and not i64"),
    ("dot(a: f32[], b: f64[], n: u64) -> f64", "a is a pointer to f64, and not f32"),
    ("counter_make(c: handle(c), s: i32) -> i32", "s is i64, and not i32"),
    ("counter_add(c: out handle(c), n: i64) -> i64", "and no pointer to a pointer"),
    ("work(n: i32, t: bytes) -> i32", "it has 2 parameters, and the signature 3"),
    ("byte_sum(b: bytes, n: callback() = count) -> u64", "it has 2 parameters, and the signature 3"),
    ("give_back(t: cstr) -> i32", "the result is void, and not i32"),
    ("total(n: i32) -> i32", "it takes a variable number of arguments, which cannot be called safely"),
    ("choose(e: i32) -> i32", "e is a union, and not i32"),
    ("bits(f: {a: u16, b: u16}) -> i32", "and its a is a bit-field, and not u16"),
  ]

  @Test("signatures that do not fit are refused with the difference", arguments: kinds, wrong)
  func differs(kind: [String], row: (text: String, reason: String)) throws {
    let found = try #require(try complaint(row.text, kind), "\(row.text) was accepted")
    // BTF does not know the difference between characters and numbers of one byte, nor the members' number.
    #expect(found.hasSuffix(row.reason) || kind.contains("-gbtf"), "\(found)")
  }

  @Test("a long double is no f64")
  func longDouble() throws {
    let found = try complaint("precise(x: f64) -> f64", ["-gdwarf-5"])
    #expect(found == "x is long double, and not f64")
  }

  @Test("a library without debug information is taken on trust, with a note")
  func trust() throws {
    let file = try Sample.library
    var libraries = Libraries()
    _ = try libraries.resolve(try SignatureParser.parse("\(file):motto() -> cstr").signature)
    _ = try libraries.resolve(try SignatureParser.parse("\(file):latin() -> cstr").signature)
    #expect(libraries.notes == ["\(file) has no debug information: its signatures are taken on trust"])
    var others = Libraries()
    let good = try library(["-gdwarf-5"])
    _ = try others.resolve(try SignatureParser.parse("\(good):motto() -> cstr").signature)
    #expect(others.notes.isEmpty)
    #expect(throws: LibraryError.self) {
      _ = try others.resolve(try SignatureParser.parse("\(good):motto() -> i32").signature)
    }
  }

  @Test("a debug file beside the library is found by its link")
  func separate() throws {
    let folder = try TemporaryFolder()
    let file = folder.file("split.so")
    try FileManager.default.copyItem(atPath: try library(["-gdwarf-5"]), toPath: file)
    let script = """
      cd "$0" && objcopy --only-keep-debug split.so split.debug && strip --strip-debug split.so &&
      objcopy --add-gnu-debuglink=split.debug split.so
      """
    let (exit, output) = try ChildProcess.run("/bin/sh", ["-c", script, folder.path])
    try #require(exit == .status(0), "\(output)")
    let declaration = try #require(DebugFile(file)?.declaration(of: "motto"))
    #expect(declaration.parameters.isEmpty)
  }

  @Test("damaged files end in an answer")
  func damaged() throws {
    for kind in [["-gdwarf-5"], ["-gbtf", "-g0", "-gbtf"]] {
      let whole = Array(try Data(contentsOf: URL(fileURLWithPath: try library(kind))))
      var random = SplitMix(seed: 8)
      for _ in 0..<150 {
        var bytes = whole
        for _ in 0..<random.below(60) {
          bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
        }
        if random.below(4) == 0 { bytes.removeLast(random.below(bytes.count)) }
        bytes.withUnsafeBytes { bytes in
          guard let file = DebugFile(bytes) else { return }
          _ = file.isData("motto")
          for symbol in ["grow", "visit", "counter_make"] { _ = file.declaration(of: symbol) }
        }
      }
    }
  }
}

/// Random numbers that are the same in every run.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }

  mutating func below(_ bound: Int) -> Int { bound < 1 ? 0 : Int(next() % UInt64(bound)) }
}
