// libFuzzer target of the CGI request reader; Tests/Fuzz/fuzz.sh cgi 60 runs it for a minute.
import Support
import Wire

/// One input: an environment, an empty string, standard input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  let problems = verifyEnvironment(input)
  if !problems.isEmpty { fatalError(problems.joined(separator: "\n")) }
  return 0
}
