// stub
struct ElfFile {
  init?(_ b: UnsafeRawBufferPointer) { return nil }
  func isData(_ s: String) -> Bool { false }
}
enum DebugInformation { static func declaration(of s: String, in f: String) -> Int? { nil } }
enum Comparison { static func difference(_ s: Signature, _ d: Int) -> String? { nil } }
