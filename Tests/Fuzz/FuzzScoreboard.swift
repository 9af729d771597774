// libFuzzer target of the border between worker and master: the page that a worker writes;
// Tests/Fuzz/fuzz.sh scoreboard 60 runs it for a minute.
import Control
import Support

/// One input: whatever a worker writes, the master reads numbers and texts in their ranges.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  let problems = verifyScoreboard(input)
  if !problems.isEmpty { fatalError(problems.joined(separator: "\n")) }
  return 0
}
