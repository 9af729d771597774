// libFuzzer target of the HTTP/2 session, frames and all; Tests/Fuzz/fuzz.sh http2 60 runs it for a minute.
import Support

/// One input: however it arrives, a connection gives the same events and says the same, in whole frames.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  let problems = verifySession(input)
  if !problems.isEmpty { fatalError(problems.joined(separator: "\n")) }
  return 0
}
