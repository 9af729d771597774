// The tools of `make bench-wsgi` and `make bench-compare` (Tests/Bench): the generator's arithmetic against a
// server that is only reckoned, the page out of sample rows, releases against each other.
import Support
import Testing

@Suite struct BenchmarkTests {
  @Test(
    "latency counts from the intended moment, and pages and comparisons say what rows say",
    arguments: ["test_openload", "test_page"])
  func tools(module: String) throws {
    let (exit, output) = try ChildProcess.run(
      try Repository.python("python"), ["-m", "unittest", module],
      environment: ["PYTHONDONTWRITEBYTECODE": "1"], directory: "\(Repository.root)/Tests/Bench",
      deadline: Deadline(seconds: 300))
    #expect(exit == .status(0), "\(output)")
  }
}
