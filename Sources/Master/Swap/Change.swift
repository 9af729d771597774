/// What an operator, a signal or a file asks for.
enum Change: Equatable {
  /// A new build of one application, or of all; `file` in place of its path.
  case swap(mount: String?, file: String?)
  /// The configuration is read again, and every application swapped.
  case reload(cause: String)
  /// The build before the one that serves, of one application or of all.
  case rollback(mount: String?)
  /// A new master of a binary, or of this program's own file, takes the sockets over.
  case upgrade(binary: String?)

  /// Whether both ask for the same, from whatever cause.
  func asksTheSame(as other: Change) -> Bool {
    if case .reload = self, case .reload = other { return true }
    return self == other
  }

  /// It puts to work what lies in files by then: once is as good as twice.
  var readsFiles: Bool {
    switch self {
    case .swap, .reload: true
    case .rollback, .upgrade: false
    }
  }

  /// Of these, it reads those that the configuration names.
  var readsUsualFiles: Bool {
    switch self {
    case .swap(_, let file): file == nil
    case .reload: true
    case .rollback, .upgrade: false
    }
  }

  var verb: String {
    switch self {
    case .swap: "swap"
    case .reload: "reload"
    case .rollback: "rollback"
    case .upgrade: "upgrade"
    }
  }
}
