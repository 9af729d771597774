// libFuzzer target of the HPACK decoder, by way of requests; Tests/Fuzz/fuzz.sh hpack 60 runs it for a
// minute.
import Support

/// One input: field blocks of one connection give the same heads in however many frames they come.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  let problems = verifyFieldBlocks(input)
  if !problems.isEmpty { fatalError(problems.joined(separator: "\n")) }
  return 0
}
