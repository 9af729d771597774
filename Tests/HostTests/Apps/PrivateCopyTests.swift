import Foundation
import Testing

@testable import Host

@Suite struct PrivateCopyTests {
  /// Mappings of this process that hold no file and can only be read.
  private var leftovers: Int {
    let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
    return maps.split(separator: "\n").count { $0.contains(" r--p 00000000 00:00 0") }
  }

  @Test("a file that fills its last page is looked into without leaving a page behind")
  func fullPages() throws {
    let bench = try LoaderBench()
    let file = try bench.place("plain")
    let page = Int(getpagesize())
    var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
    bytes.append(Data(repeating: 0, count: (page - bytes.count % page) % page))
    try bytes.write(to: URL(fileURLWithPath: file))
    let copy = try PrivateCopy(of: file, in: bench.runtime)
    #expect(copy.size % page == 0)
    let before = leftovers
    for _ in 0..<200 {
      _ = try copy.inspect(wanted: [])
      #expect(copy.equals(file))
    }
    #expect(leftovers < before + 50, "\(leftovers) where there were \(before)")
  }
}
