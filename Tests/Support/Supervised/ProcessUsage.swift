// What a process holds, as /proc tells it: descriptors, mappings and memory that must not grow.
import Foundation

/// A look at one process.
public struct ProcessUsage: Sendable, CustomStringConvertible {
  public var descriptors: Int
  public var mappings: Int
  /// Resident KiB.
  public var resident: Int
  /// Threads of it.
  public var threads: Int

  /// Looks at a process; nil when it is gone.
  public init?(_ pid: pid_t) {
    guard let open = try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd"),
      let maps = try? String(contentsOfFile: "/proc/\(pid)/maps", encoding: .utf8),
      let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    else { return nil }
    func number(_ name: String) -> Int {
      let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
      return line.flatMap { Int($0.split(whereSeparator: \.isWhitespace)[1]) } ?? 0
    }
    (descriptors, mappings) = (open.count, maps.split(separator: "\n").count)
    (resident, threads) = (number("VmRSS"), number("Threads"))
  }

  public var description: String {
    "\(descriptors) descriptors, \(mappings) mappings, \(resident) KiB resident, \(threads) threads"
  }

  /// Whether a process is there and no zombie.
  public static func isAlive(_ pid: pid_t) -> Bool {
    guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
      let end = text.lastIndex(of: ")")
    else { return false }
    return !text[end...].hasPrefix(") Z") && !text[end...].hasPrefix(") X")
  }
}
