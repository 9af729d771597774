// The same function called from C and through the runtime, with the same random arguments: the same bits.
import Foundation
import Support
import Testing

@Suite struct BitsTests {
  @Test("100,000 random arguments of each type give the bits that C gives")
  func bits() throws {
    let plugin = Repository.server.replacingOccurrences(of: "/server", with: "/libffi_plugin.so")
    try #require(access(plugin, R_OK) == 0, "\(plugin) is missing; use: make plugins")
    let seed = "20260101"
    let (exit, output) = try ChildProcess.run(
      try Sample.program("bits"), [plugin, try Sample.library, "100000", seed],
      deadline: Deadline(seconds: 300))
    #expect(exit == .status(0), "seed \(seed): \(output)")
    let types = output.split(separator: "\n").compactMap { line -> String? in
      line.hasSuffix(" 100000") ? String(line.dropLast(7)) : nil
    }
    #expect(types == ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "bool"])
  }
}
