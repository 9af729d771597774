/// The files that a process has loaded as libraries, as it tells its master: path and identity. What a worker
/// or a trial says is not to be relied on; it is compared with what others say, and shown, and that is all.
public struct LibraryReport: Equatable, Sendable {
  /// What tells a file from another, by its path.
  public private(set) var identities: [String: String] = [:]

  /// Libraries that are told one by one.
  public static let most = 512
  /// Bytes of a path, or of an identity.
  public static let mostBytes = 512
  /// Bytes of all that are told one by one: a message is one packet.
  public static let mostBytesInAll = 64 * 1024
  /// Stands for all further ones.
  private static let rest = "further libraries"

  /// Nothing.
  public init() {}

  /// Those of a process.
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

  /// What a message holds of them.
  public init(_ message: Message) {
    for text in message.all("library").prefix(Self.most + 1) {
      let parts = text.split(separator: " ", maxSplits: 1)
      guard parts.count == 2, text.utf8.count <= 2 * Self.mostBytes else { continue }
      identities[String(parts[1])] = String(parts[0])
    }
  }

  /// As a message says them.
  public var fields: [Message.Field] {
    identities.sorted { $0.key < $1.key }.map { Message.Field("library", "\($0.value) \($0.key)") }
  }

  /// Paths of this one that another has not, or has with another file.
  public func differences(from other: LibraryReport) -> [String] {
    identities.filter { other.identities[$0.key] != $0.value }.map(\.key).sorted()
  }

  /// Paths that both have, with another file each.
  public func replacements(in other: LibraryReport) -> [String] {
    differences(from: other).filter { other.identities[$0] != nil }
  }
}
