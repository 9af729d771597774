// Which files the server serves itself, and how.

/// Files that are served without an application.
public struct StaticSettings: Sendable, Equatable {
  /// Where files are searched for, in the order given.
  public var roots: [StaticRoot] = []
  /// Names of files that represent their directory.
  public var indexes: [String] = []
  /// Files whose names end like this belong to the application.
  public var skippedEndings: [String] = []
  /// Directories that links may lead into.
  public var safeDirectories: [String] = []
  /// How long clients may keep a file; the first one that applies counts.
  public var expiries: [Expiry] = []
  /// Which files may have copies beside them in a content coding.
  public var coded: [CodedFiles] = []
  /// Files of media types that add to those the server knows.
  public var typeFiles: [String] = []
  /// How many seconds a small file in memory is not compared with the one on disk.
  public var cacheSeconds = 0

  /// No files.
  public init() {}
}

/// A directory, or one file, that paths are mapped to.
public struct StaticRoot: Sendable, Equatable {
  /// How the name of a file is made.
  public enum Kind: Sendable, Equatable {
    /// The directory and what follows the prefix.
    case map
    /// The directory and the whole path.
    case wholePath
    /// The directory and the whole path; missing files, and methods other than GET and HEAD, go to the
    /// application.
    case check
  }

  /// The prefix of the path; "" for all.
  public var prefix: String
  /// The directory, or the file.
  public var directory: String
  /// How the name of a file is made.
  public var kind: Kind

  /// Paths that begin with `prefix` are searched for below `directory`.
  public init(prefix: String, directory: String, kind: Kind) {
    (self.prefix, self.directory, self.kind) = (prefix, directory, kind)
  }
}

/// How long clients may keep files.
public struct Expiry: Sendable, Equatable {
  /// Which files.
  public enum Subject: Sendable, Equatable {
    /// Those whose path on the disk it matches.
    case path(Pattern)
    /// Those of a media type.
    case type(String)
    /// Those whose request target it matches.
    case uri(Pattern)
    /// Those whose decoded path of the request it matches.
    case pathInfo(Pattern)
  }

  /// Which files.
  public var subject: Subject
  /// Seconds.
  public var seconds: Int
  /// Counted from the file's last change; otherwise from the request.
  public var isFromChange: Bool
}

/// Files that may have copies beside them in a content coding.
public enum CodedFiles: Sendable, Equatable {
  case all
  /// Those whose path is below that directory.
  case below([UInt8])
  /// Those whose name ends like this.
  case ending(String)
  case matching(Pattern)
}
