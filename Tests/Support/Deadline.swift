// Bounded waiting: no test hangs, and none sleeps where something can be asked instead.
import Foundation
import Synchronization

/// A point in time after which waiting is a failure.
public struct Deadline: Sendable {
  private let end: UInt64

  /// So many seconds from now.
  public init(seconds: Double) {
    end = DispatchTime.now().uptimeNanoseconds + UInt64(seconds * 1e9)
  }

  /// For things that take milliseconds when nothing is wrong: long, because machines are slow.
  public static var usual: Deadline { Deadline(seconds: 30) }

  /// Milliseconds left, for poll(2); 0 when over.
  public var milliseconds: Int32 {
    let now = DispatchTime.now().uptimeNanoseconds
    return now >= end ? 0 : Int32(min((end - now) / 1_000_000 + 1, 1_000_000))
  }

  /// Whether the time is over.
  public var isOver: Bool { DispatchTime.now().uptimeNanoseconds >= end }

  /// Asks `question` every few milliseconds until it has an answer.
  @discardableResult
  public func wait<Answer>(
    for what: String, output: () -> String = { "" }, _ question: () throws -> Answer?
  ) throws -> Answer {
    while true {
      if let answer = try question() { return answer }
      if isOver { throw SupportError.timedOut(waitingFor: what, output: output()) }
      usleep(2000)
    }
  }
}

/// A folder of its own for one test, removed with everything in it at the end.
public final class TemporaryFolder: Sendable {
  /// Folders that exist; what static properties hold is removed when the process ends.
  private static let existing: Mutex<Set<String>> = {
    atexit { TemporaryFolder.removeAll() }
    return Mutex([])
  }()

  /// Absolute path, short enough for a unix socket below it.
  public let path: String

  /// Makes `/tmp/nsgi.XXXXXX`, open to the front ends that drop their privileges.
  public init() throws {
    var template = Array("/tmp/nsgi.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SupportError.system(call: "mkdtemp", errno: errno) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    chmod(path, 0o755)
    _ = Self.existing.withLock { [path] in $0.insert(path) }
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
    _ = Self.existing.withLock { [path] in $0.remove(path) }
  }

  private static func removeAll() {
    for path in existing.withLock({ $0 }) { try? FileManager.default.removeItem(atPath: path) }
  }

  /// The path of `name` in the folder.
  public func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a text file and returns its path.
  @discardableResult
  public func write(_ text: String, to name: String) throws -> String {
    let path = file(name)
    try text.write(toFile: path, atomically: false, encoding: .utf8)
    return path
  }

  /// Writes a program's text and returns its path.
  ///
  /// Another process writes it: a child that this one starts meanwhile would hold the file open for writing,
  /// and such a file cannot be executed.
  public func program(_ text: String, _ name: String) throws -> String {
    let (draft, path) = (try write(text, to: name + ".draft"), file(name))
    let (exit, output) = try ChildProcess.run("/usr/bin/install", ["-m", "755", draft, path])
    guard exit == .status(0) else {
      throw SupportError.ended(program: "install", exit: exit, output: output)
    }
    return path
  }

  /// Makes a folder inside and returns its path.
  @discardableResult
  public func folder(_ name: String) throws -> String {
    let path = file(name)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }
}
