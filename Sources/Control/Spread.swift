/// How many processes and threads an application has: an author who keeps something in memory from one
/// request to the next has to know (docs/OPERATIONS.md).
public struct Spread: Equatable, Sendable {
  private let mount: String
  private let name: String
  private let processes: Int
  private let calls: Int

  /// - Parameters:
  ///   - processes: workers, each with the application.
  ///   - calls: the most that a worker makes at once, each in a thread; 0 if none of them waits, and requests
  ///     go on side by side, as in an event loop.
  public init(mount: String, name: String, processes: Int, calls: Int) {
    (self.mount, self.name, self.processes, self.calls) = (mount, name, processes, calls)
  }

  /// "app shop at /shop: 4 processes, up to 16 threads each".
  public var line: String {
    let place = mount.isEmpty ? "/" : mount
    let threads = calls == 0 ? "an event loop" : calls == 1 ? "1 thread" : "up to \(calls) threads"
    return processes == 1
      ? "app \(name) at \(place): 1 process, \(threads)"
      : "app \(name) at \(place): \(processes) processes, \(threads) each"
  }
}
