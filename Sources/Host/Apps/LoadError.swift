import Config
import Wire

/// Why an application cannot be loaded: one sentence for the operator, with the fix if there is one. A server
/// that starts with it ends with exit code 22; a swap that meets it is refused.
public enum LoadError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A version of the application interface.
  public struct Version: Equatable, Sendable, CustomStringConvertible {
    /// Must be equal on both sides.
    public let major: UInt16
    /// The application's may not be above the host's.
    public let minor: UInt16
    /// "1.0".
    public var description: String { "\(major).\(minor)" }
  }

  case missing(path: String)
  case unreadable(path: String, reason: String)
  /// A directory, a device, a FIFO.
  case notAFile(path: String)
  /// Its size or timestamp changed during the copy.
  case changing(path: String)
  /// Not a library for this machine, or not a complete one.
  case badImage(path: String, ElfError)
  /// No directory for private copies.
  case noRuntimeDirectory(reason: String)
  case copyFailed(path: String, reason: String)
  /// `--app-key`, and there is no signature beside the file.
  case unsigned(path: String, signature: String, key: String)
  /// The signature is not one of the key's for these bytes.
  case badSignature(path: String, reason: String)
  /// `--app-key`, and the file loads another one from its own directory.
  case unsignedCompanion(path: String, library: String)
  /// `--app-key`, and the file, or a library that it links, makes the linker look where others can put files.
  case openPlace(path: String, user: String, directory: String)
  /// The dynamic linker's own words: an undefined symbol, a missing library.
  case unresolved(path: String, reason: String)
  /// The process has another library of a name than the one that the app, in the operator's words, finds.
  case otherLibrary(app: String, LibraryConflict)
  /// Neither of the standard symbols, or not the requested one.
  case noEntry(path: String, symbol: String?)
  /// The symbol exists, but as data.
  case notAFunction(path: String, symbol: String)
  /// nsgi_entry returned NULL.
  case refusedHost(path: String)
  case badMagic(path: String, found: UInt32)
  case otherMajor(path: String, app: Version, host: Version)
  case newerMinor(path: String, app: Version, host: Version)
  case badSize(path: String, size: UInt32, least: UInt32)
  case noCall(path: String)
  /// load() failed; the text is the application's own.
  case loadFailed(path: String, reason: String)
  /// probe() answered a negative result, of this name.
  case probeFailed(path: String, result: String)

  /// The exit code of a server that cannot load its application (uWSGI's number).
  public static let exitCode: Int32 = 22

  /// Why the server, or a swap, ends with it.
  func failure(of app: AppSettings) -> ServerFailure {
    var text = "application cannot be loaded: \(self)"
    if case .missing = self, let reading = app.otherReading { text += "; \(reading)" }
    var failure = ServerFailure(text, exitCode: LoadError.exitCode)
    if case .otherLibrary = self { failure.needsNewProcess = true }
    return failure
  }

  /// The sentence for the operator.
  public var description: String {
    switch self {
    case .missing(let path): "\(path) does not exist: build it, or correct the path given to --app"
    case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
    case .notAFile(let path): "\(path) is not a regular file: --app takes a shared library (.so)"
    case .changing(let path): "\(path) changed while it was read: wait until it is built, and try again"
    case .badImage(let path, let error): "\(path) \(error)"
    case .noRuntimeDirectory(let reason):
      "no directory for private copies of applications (\(reason)): name one with --runtime-dir, or "
        + "set TMPDIR to one, that this user "
        + "can write to, nobody else can change, and that is not mounted noexec"
    case .copyFailed(let path, let reason): "cannot copy \(path) to the runtime directory: \(reason)"
    case .unsigned(let path, let signature, let key):
      "\(path) is not signed: there is no \(signature); sign it with the key of \(key) (--app-key)"
    case .badSignature(let path, let reason): "\(path) is not loaded: \(reason) (--app-key)"
    case .unsignedCompanion(let path, let library):
      "\(path) is not loaded: it loads \(library), which no signature covers (--app-key); link it into the "
        + "build, or install it where the system looks for libraries"
    case .openPlace(let path, let user, let directory):
      "\(path) is not loaded: \(user) has libraries looked for in \(directory) (RPATH, RUNPATH), where "
        + "others than root can put some that no signature covers (--app-key); link without it, or give the "
        + "directory to root alone"
    case .unresolved(let path, let reason):
      "\(path) cannot be linked: \(reason); link it with all the libraries it uses (ldd -r \(path))"
    case .otherLibrary(let app, let conflict): "\(app) \(conflict)"
    default: entryDescription
    }
  }

  /// What is wrong with the entry, once the library is in.
  private var entryDescription: String {
    switch self {
    case .noEntry(let path, nil):
      "\(path) exports neither nsgi_entry nor application: define one of them as <nsgi.h> declares it, "
        + "or name a symbol (\(path):symbol)"
    case .noEntry(let path, let symbol?):
      "\(path) does not export \(symbol): correct the name, or mark the function NSGI_EXPORT"
    case .notAFunction(let path, let symbol): "\(symbol) of \(path) is data: it has to be a function"
    case .refusedHost(let path): "\(path) refuses this server: its nsgi_entry returned NULL"
    case .badMagic(let path, let found):
      "nsgi_entry of \(path) returned a table with the magic number 0x\(String(found, radix: 16)) instead of "
        + "0x4947534e: begin the table with NSGI_APP_HEAD(flags)"
    case .otherMajor(let path, let app, let host):
      "\(path) speaks NSGI \(app) and this server NSGI \(host): build it with this server's nsgi.h, "
        + "or run a server of major \(app.major)"
    case .newerMinor(let path, let app, let host):
      "\(path) needs NSGI \(app) and this server offers \(host): run a newer server, or build the "
        + "application to need less"
    case .badSize(let path, let size, let least):
      "nsgi_entry of \(path) returned a table of \(size) bytes, which cannot be right (\(least) at least): "
        + "begin the table with NSGI_APP_HEAD(flags)"
    case .noCall(let path): "the table of \(path) has no call(): the one function that cannot be left out"
    case .loadFailed(let path, let reason): "\(path) cannot start: \(reason)"
    case .probeFailed(let path, let result):
      "\(path) refuses to serve: its probe() returned \(result); its lines above may say why"
    default: ""
    }
  }
}
