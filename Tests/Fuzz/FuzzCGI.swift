// libFuzzer target of the CGI request reader and of a query as arguments; Tests/Fuzz/fuzz.sh cgi 60 runs
// it for a minute.
import Support

/// One input: an environment, an empty string, standard input. Of a query without `=` in it front ends make
/// arguments, and none of these is an option.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  let problems = verifyEnvironment(input) + verifyQueryArguments(input)
  if !problems.isEmpty { fatalError(problems.joined(separator: "\n")) }
  return 0
}
