// Where the project's own files are, seen from a test: the server under test, the built apps, the
// configurations in docs/deploy, and the programs that Debian provides.
import Foundation

/// The checked-out project around the running tests.
public enum Repository {
  /// Absolute path of the project, without a slash at its end.
  public static let root: String = {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<3 { url.deleteLastPathComponent() }
    return url.path
  }()

  /// The server under test: `SERVER_UNDER_TEST`, else the release build, which `swift test` does not make.
  /// Ends the tests where that is older than the sources: what they would tell of is another server.
  public static let server: String = {
    if let named = ProcessInfo.processInfo.environment["SERVER_UNDER_TEST"] { return named }
    let server = root + "/.build/release/server"
    // NSGI is not part of it: that is built into applications.
    let modules = ["CLinux", "CNSGI", "Config", "Control", "Host", "Master", "Watch", "Wire", "server"]
    if let reason = Staleness.reason(of: server, sources: modules.map { "\(root)/Sources/\($0)" }) {
      let fix = "use: swift build -c release --product server"
      FileHandle.standardError.write(Data("\(server) \(reason); \(fix)\n".utf8))
      exit(1)
    }
    return server
  }()

  /// The server under test was built with a sanitizer (scripts/sanitize.sh): it takes more memory, keeps some
  /// that was freed, and leaves fatal signals to the sanitizer.
  public static let isSanitized = ["ASAN_OPTIONS", "TSAN_OPTIONS"].contains {
    ProcessInfo.processInfo.environment[$0] != nil
  }

  /// The sanitizer is that of threads. A server with it ends without destructors, and its runtime of Swift
  /// takes a lock with each look at a global, which a copy of the process may find held for ever.
  public static let isThreadSanitized = ProcessInfo.processInfo.environment["TSAN_OPTIONS"] != nil

  /// The sanitizer is that of addresses. What is freed stays in memory for a while.
  public static let isAddressSanitized = ProcessInfo.processInfo.environment["ASAN_OPTIONS"] != nil

  /// A built app below `.build/apps` (or `APPS_UNDER_TEST`): `app("environ")` is `.build/apps/environ.so`.
  public static func app(_ name: String) -> String {
    let folder = ProcessInfo.processInfo.environment["APPS_UNDER_TEST"] ?? root + "/.build/apps"
    return "\(folder)/\(name).so"
  }

  /// A program of the Python environment that `scripts/install.sh test` makes.
  public static func python(_ program: String) throws(SupportError) -> String {
    let path = "\(root)/.build/venv/bin/\(program)"
    guard access(path, X_OK) == 0 else { throw .pythonMissing(path) }
    return path
  }

  /// A path without links.
  public static func realPath(_ path: String) -> String {
    guard let found = realpath(path, nil) else { return path }
    defer { free(found) }
    return String(cString: found)
  }

  /// The text of a file of the project, by its path below the root.
  public static func text(_ path: String) throws -> String {
    try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
  }

  /// Paths below the root of every file under `folder` whose name ends in one of `suffixes`, sorted.
  public static func files(under folder: String, suffixes: [String]) -> [String] {
    let all = FileManager.default.enumerator(atPath: "\(root)/\(folder)")
    var found: [String] = []
    while let path = all?.nextObject() as? String {
      if suffixes.contains(where: path.hasSuffix) { found.append("\(folder)/\(path)") }
    }
    return found.sorted()
  }
}

/// A program that a test needs and the machine may lack.
public enum Program: String, Sendable {
  case lighttpd, nginx, apache2, haproxy, curl, gcc, python3, multiwatch, h2load
  case spawnFcgi = "spawn-fcgi"
  case cgiFcgi = "cgi-fcgi"
  case systemdSocketActivate = "systemd-socket-activate"
  case systemdAnalyze = "systemd-analyze"

  /// The Debian package that holds it.
  public var package: String {
    switch self {
    case .nginx: "nginx-light"
    case .h2load: "nghttp2-client"
    case .apache2: "apache2-bin"
    case .cgiFcgi: "libfcgi-bin"
    case .systemdSocketActivate, .systemdAnalyze: "systemd"
    default: rawValue
    }
  }

  /// Its absolute path; a missing program is a failure that says how to get it.
  public func path() throws(SupportError) -> String {
    for folder in ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"] {
      let path = "\(folder)/\(rawValue)"
      if access(path, X_OK) == 0 { return path }
    }
    throw .programMissing(self)
  }
}

/// What can go wrong around a test, as against in the server.
public enum SupportError: Error, CustomStringConvertible {
  case programMissing(Program)
  case pythonMissing(String)
  case system(call: String, errno: Int32)
  case timedOut(waitingFor: String, output: String)
  case ended(program: String, exit: ChildProcess.Exit, output: String)
  case malformedReply(String)
  case needsRoot

  public var description: String {
    switch self {
    case .programMissing(let program):
      "\(program.rawValue) is not installed; use: apt-get install --no-install-recommends \(program.package)"
    case .pythonMissing(let path): "\(path) is missing; use: scripts/install.sh test"
    case .system(let call, let code): "\(call): \(String(cString: strerror(code)))"
    case .timedOut(let what, let output): "timed out waiting for \(what); so far:\n\(output)"
    case .ended(let program, let exit, let output): "\(program) ended (\(exit)) too early:\n\(output)"
    case .malformedReply(let why): "malformed reply: \(why)"
    case .needsRoot: "this test is about what root gives up; use: sudo make test"
    }
  }
}
