/// A file as it was at one moment. Another file by its name, and the same one written anew, are another
/// identity.
public struct FileIdentity: Equatable, Sendable, CustomStringConvertible {
  private let device: UInt64
  private let inode: UInt64
  private let bytes: Int64
  private let seconds: Int64
  private let nanoseconds: Int64

  /// What `stat` tells of a file; the time is that of the last change of its content.
  public init(device: UInt64, inode: UInt64, bytes: Int64, seconds: Int64, nanoseconds: Int64) {
    (self.device, self.inode, self.bytes) = (device, inode, bytes)
    (self.seconds, self.nanoseconds) = (seconds, nanoseconds)
  }

  /// In a word, as messages say it.
  public var description: String { "\(device):\(inode):\(bytes):\(seconds).\(nanoseconds)" }
}
