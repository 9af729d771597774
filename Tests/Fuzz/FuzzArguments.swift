// libFuzzer target of the arguments of a CGI program; Tests/Fuzz/fuzz.sh arguments 60 runs it for a minute.
import Support

/// One input: whatever a front end makes of a query, none of it is an option.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  let problems = verifyArguments(input)
  if !problems.isEmpty { fatalError(problems.joined(separator: "\n")) }
  return 0
}
