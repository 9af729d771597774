/// A file as it was at one moment. Another file of its name, or the same one rewritten, has another.
public struct FileIdentity: Equatable, Sendable, CustomStringConvertible {
  private let device: UInt64
  private let inode: UInt64
  private let bytes: Int64
  private let seconds: Int64
  private let nanoseconds: Int64

  /// What `stat` tells about a file; the time is that of the last change of its content.
  public init(device: UInt64, inode: UInt64, bytes: Int64, seconds: Int64, nanoseconds: Int64) {
    (self.device, self.inode, self.bytes) = (device, inode, bytes)
    (self.seconds, self.nanoseconds) = (seconds, nanoseconds)
  }

  /// In one word, as messages have it.
  public var description: String { "\(device):\(inode):\(bytes):\(seconds).\(nanoseconds)" }

  /// Reads what `description` wrote; nil for anything else.
  public init?(word: String) {
    let parts = word.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 4, let device = UInt64(parts[0]), let inode = UInt64(parts[1]),
      let bytes = Int64(parts[2])
    else { return nil }
    let time = parts[3].split(separator: ".", omittingEmptySubsequences: false)
    guard time.count == 2, let seconds = Int64(time[0]), let nanoseconds = Int64(time[1]) else { return nil }
    self.init(device: device, inode: inode, bytes: bytes, seconds: seconds, nanoseconds: nanoseconds)
  }
}
