/// The files that a process has loaded as libraries, as reported to its master: path and identity. The report
/// of a worker or a trial cannot be relied on; it is only compared with those of others, and shown.
public struct LibraryReport: Equatable, Sendable {
  /// What tells one file from another, by path.
  public private(set) var identities: [String: String] = [:]

  /// The most libraries that are listed individually.
  public static let most = 512
  /// The most bytes of a path, or of an identity.
  public static let mostBytes = 512
  /// The most bytes of all that are listed individually: a message is one packet.
  public static let mostBytesInAll = 64 * 1024
  /// Stands for all further ones.
  private static let rest = "further libraries"

  /// Nothing.
  public init() {}

  /// The libraries of a process.
  public init(_ libraries: [(path: String, identity: String)]) {
    var further = FNV1a.basis
    var (isCut, bytes) = (false, 0)
    for (path, identity) in libraries.sorted(by: { $0.path < $1.path }) {
      bytes += path.utf8.count + identity.utf8.count
      if identities.count < Self.most, path.utf8.count <= Self.mostBytes, bytes <= Self.mostBytesInAll {
        identities[path] = identity
        continue
      }
      isCut = true
      further = FNV1a.hash("\(identity) \(path)\n".utf8, from: further)
    }
    if isCut { identities[Self.rest] = String(further, radix: 16) }
  }

  /// The libraries in a message.
  public init(_ message: Message) {
    for text in message.all("library").prefix(Self.most + 1) {
      let parts = text.split(separator: " ", maxSplits: 1)
      guard parts.count == 2, text.utf8.count <= 2 * Self.mostBytes else { continue }
      identities[String(parts[1])] = String(parts[0])
    }
  }

  /// The libraries as fields of a message.
  public var fields: [Message.Field] {
    identities.sorted { $0.key < $1.key }.map { Message.Field("library", "\($0.value) \($0.key)") }
  }

  /// The paths that a master may watch, in order: full paths of files named like a library (`.so`). A
  /// reporting process could name any file of the machine, such as a log that grows all the time.
  public var watchable: [String] {
    identities.keys.filter(Self.isLibrary).sorted()
  }

  private static func isLibrary(_ path: String) -> Bool {
    guard path.utf8.first == UInt8(ascii: "/"), path.utf8.count <= mostBytes else { return false }
    let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    let isPlain = !parts.contains { ["", ".", ".."].contains($0) }
    guard isPlain, let name = parts.last else { return false }
    return name.split(separator: ".").dropFirst().contains("so")
  }

  /// Paths in this report that another does not have, or has with another file.
  public func differences(from other: LibraryReport) -> [String] {
    identities.filter { other.identities[$0.key] != $0.value }.map(\.key).sorted()
  }

  /// Paths that both have, with another file each.
  public func replacements(in other: LibraryReport) -> [String] {
    differences(from: other).filter { other.identities[$0] != nil }
  }
}
