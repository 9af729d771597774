/// Why no socket can be bound at a path, as far as the file there tells (CLinux: `clinux_socket_place`). The
/// listeners and the control socket use the same words for it.
public enum SocketPlace: Int32, Sendable {
  /// Nothing more can be told than the error itself.
  case unknown
  /// A server answers there.
  case inUse
  case directory
  /// A file that is not a socket.
  case file
  case danglingLink
  /// A socket of another type.
  case otherType
  /// A socket that this user may not connect to.
  case foreign
  case noDirectory
  case directoryIsFile
  case closedDirectory
  case readOnly

  /// What is wrong and what to do; nil if only the error can be reported.
  public func sentence(_ path: String) -> String? {
    let directory = Paths.parent(of: path) ?? "the working directory"
    return switch self {
    case .unknown: nil
    case .inUse: "\(path) is in use by another server; stop that one or choose another address"
    case .directory: "\(path) is a directory; write \(path)/app.sock"
    case .file: "\(path) is a file and no socket; choose another path, or remove the file"
    case .danglingLink: "\(path) is a symbolic link that leads nowhere; remove it"
    case .otherType: "\(path) is a socket of another type, for datagrams or packets; choose another path"
    case .foreign:
      "\(path) is another user's socket, and its server may be running; choose another path, or remove it"
    case .noDirectory: "\(path) cannot be bound: \(directory) does not exist; make it, or correct the path"
    case .directoryIsFile: "\(path) cannot be bound: \(directory) is not a directory; correct the path"
    case .closedDirectory:
      "\(path) cannot be bound: this user may not write to \(directory); choose another directory"
    case .readOnly:
      "\(path) cannot be bound: \(directory) is on a read-only file system; choose another directory"
    }
  }
}
