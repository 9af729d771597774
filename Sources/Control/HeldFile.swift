/// A file of the server's own that its processes load or run after the master has started: the master holds
/// it open, so that all of them get the one of its own build, whatever is installed meanwhile.
public struct HeldFile: Equatable, Sendable {
  /// What it is for.
  public enum Kind: String, CaseIterable, Sendable {
    /// A runtime's plugin.
    case plugin
    /// The worker as a library, for a program that is not the server's own.
    case worker
    /// The library for TLS and for signatures of builds.
    case tls
    /// The program that reads configurations of other formats than ini.
    case reader
  }

  /// What it is for.
  public let kind: Kind
  /// The descriptor that holds it, in the process that uses it; from 0.
  public let descriptor: Int32
  /// Where it was found when the master started; not empty.
  public let path: String

  /// A file that is open.
  public init(kind: Kind, descriptor: Int32, path: String) {
    (self.kind, self.descriptor, self.path) = (kind, descriptor, path)
  }
}

/// As the value of a field of orders.
extension HeldFile {
  var text: String { "\(descriptor) \(kind.rawValue) \(path)" }

  /// Reads what `text` wrote; nil for anything else.
  init?(_ text: String) {
    let parts = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let descriptor = Int32(parts[0]), descriptor >= 0,
      let kind = Kind(rawValue: String(parts[1])), !parts[2].isEmpty
    else { return nil }
    self.init(kind: kind, descriptor: descriptor, path: String(parts[2]))
  }
}
