// The Date field's value is the time, in the form of RFC 9110 §5.6.7, and follows it.
import CLinux
import Testing
import Wire

@testable import Host

@Suite struct DateFieldTests {
  private func seconds(_ bytes: UnsafeRawBufferPointer) -> Int64? {
    HTTPDate.parse(bytes, now: clinux_realtime_s())
  }

  @Test func isNow() throws {
    var date = DateField(server: "nsgi")
    let before = clinux_realtime_s()
    let bytes = date.fields(System.now()).date
    #expect(bytes.count == 29)
    let value = try #require(seconds(bytes))
    #expect(value >= before - 1 && value <= clinux_realtime_s())
  }

  @Test("it is formatted anew when its time is over, also after a long one")
  func isRenewed() throws {
    var date = DateField(server: "nsgi")
    let start = System.now()
    let first = try #require(seconds(date.fields(start).date))
    // The monotonic time is the test's; the value is always the clock's.
    for later in [1, 1_000_000_000, 86_400_000_000_000] as [UInt64] {
      let value = try #require(seconds(date.fields(start + later).date))
      #expect(value >= first)
    }
  }
}
