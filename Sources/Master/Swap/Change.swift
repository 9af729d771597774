/// What an operator, a signal or a file asks for.
enum Change: Equatable {
  /// A new build of one application, or of all; `file` instead of its path. `replay`: so many requests are
  /// replayed before, whatever the options say.
  case swap(mount: String?, file: String?, replay: Int? = nil)
  /// The configuration is read again, and every application swapped.
  case reload(cause: String)
  /// The files of certificates are read again, and put to work in the existing workers.
  case certificates(cause: String)
  /// The build before the serving one, of one application or of all.
  case rollback(mount: String?)
  /// A new master of a binary, or of this program's own file, takes over the sockets.
  case upgrade(binary: String?)

  /// Whether both ask for the same, whatever the cause.
  func asksTheSame(as other: Change) -> Bool {
    if case .reload = self, case .reload = other { return true }
    if case .certificates = self, case .certificates = other { return true }
    return self == other
  }

  /// It puts to work what the files contain by then: once is as good as twice.
  var readsFiles: Bool {
    switch self {
    case .swap, .reload, .certificates: true
    case .rollback, .upgrade: false
    }
  }

  /// It reads files, namely those that the configuration names.
  var readsUsualFiles: Bool {
    switch self {
    case .swap(_, let file, _): file == nil
    case .reload, .certificates: true
    case .rollback, .upgrade: false
    }
  }

  /// It changes no build.
  var isOfCertificates: Bool { if case .certificates = self { true } else { false } }

  var verb: String {
    switch self {
    case .swap: "swap"
    case .reload: "reload"
    case .certificates: "tls-reload"
    case .rollback: "rollback"
    case .upgrade: "upgrade"
    }
  }
}
