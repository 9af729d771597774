// The server under test and what it finds beside itself, in a folder of the test's own, where the test
// replaces files as a package does: each is written beside its place and moved over.
import Foundation

/// One such copy.
public struct ServerCopy: Sendable {
  /// The program.
  public var server: String { "\(folder)/\(Self.built.lastPathComponent)" }
  private let folder: String

  private static let built = URL(fileURLWithPath: Repository.server)
  private static let source = built.deletingLastPathComponent().path

  /// The program, and those of its files that were built beside it.
  public static let names: [String] = {
    let files = [
      "libpython3_plugin.so", "libffi_plugin.so", "libnsgi_worker.so", "libnsgi_tls.so", "config_reader",
    ]
    return [built.lastPathComponent] + files.filter { access("\(source)/\($0)", F_OK) == 0 }
  }()

  /// Copies them into a folder that is there.
  public init(in folder: String) throws {
    self.folder = folder
    try install()
  }

  /// Moves what was built into the places of these files.
  public func install(_ names: [String] = ServerCopy.names) throws {
    for name in names {
      // In a process of its own: written here, a child that another test starts meanwhile would hold it open.
      let (exit, output) = try ChildProcess.run(
        "/bin/cp", ["\(Self.source)/\(name)", "\(folder)/\(name).new"])
      guard exit == .status(0) else {
        throw SupportError.ended(program: "cp", exit: exit, output: output)
      }
      try move(name)
    }
  }

  /// Moves something that cannot be loaded or run into the places of these files.
  public func spoil(_ names: [String] = ServerCopy.names) throws {
    for name in names {
      let beside = "\(folder)/\(name).new"
      try "a package that is none\n".write(toFile: beside, atomically: false, encoding: .utf8)
      chmod(beside, 0o755)
      try move(name)
    }
  }

  /// Takes these files away.
  public func remove(_ names: [String] = ServerCopy.names) throws {
    for name in names { try FileManager.default.removeItem(atPath: "\(folder)/\(name)") }
  }

  private func move(_ name: String) throws {
    guard rename("\(folder)/\(name).new", "\(folder)/\(name)") == 0 else {
      throw SupportError.system(call: "rename", errno: errno)
    }
  }
}
