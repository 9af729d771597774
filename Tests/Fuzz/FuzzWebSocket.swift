// libFuzzer target of the WebSocket frame reader; Tests/Fuzz/fuzz.sh websocket 60 runs it for a minute.
import Support

/// One input: however it arrives, the reader gives the same events and touches nothing beyond it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  let problems = verifyFrames(input)
  if !problems.isEmpty { fatalError(problems.joined(separator: "\n")) }
  return 0
}
