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
      let maps = Self.text(pid, "maps"), let status = Self.text(pid, "status")
    else { return nil }
    func number(_ name: String) -> Int {
      let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
      return line.flatMap { Int($0.split(whereSeparator: \.isWhitespace)[1]) } ?? 0
    }
    (descriptors, mappings) = (open.count, maps.split(separator: "\n").count)
    (resident, threads) = (number("VmRSS"), number("Threads"))
  }

  /// A file of /proc/PID as text: it has no size, and comes in pieces. Nil when the process is gone.
  public static func text(_ pid: pid_t, _ name: String) -> String? {
    let fd = open("/proc/\(pid)/\(name)", O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    var all: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = read(fd, &piece, piece.count)
      if count <= 0 { break }
      all += piece[..<count]
    }
    return all.isEmpty ? nil : String(decoding: all, as: UTF8.self)
  }

  public var description: String {
    "\(descriptors) descriptors, \(mappings) mappings, \(resident) KiB resident, \(threads) threads"
  }

  /// The letter of a process's state, such as "S" or "T"; nil when it is gone.
  public static func state(_ pid: pid_t) -> Character? {
    guard let text = text(pid, "stat"), let end = text.lastIndex(of: ")") else { return nil }
    return text[end...].dropFirst(2).first
  }

  /// Whether a process is there and no zombie.
  public static func isAlive(_ pid: pid_t) -> Bool { !["Z", "X", nil].contains(state(pid)) }
}
