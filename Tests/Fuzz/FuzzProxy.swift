// libFuzzer target of the beginning of a connection: PROXY headers and the recognition of protocols;
// Tests/Fuzz/fuzz.sh proxy 60 runs it for a minute.
import Support
import Wire

/// One input: what is read does not change with more bytes, and nothing is touched beyond them.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  let problems = verifyBeginning(input)
  if !problems.isEmpty { fatalError(problems.joined(separator: "\n")) }
  return 0
}
