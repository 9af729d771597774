// Why the server does not start: one sentence and the fix.

/// An error of the operator, found before anything is opened.
public enum ConfigError: Error, Equatable, CustomStringConvertible {
  /// No arguments and nothing in the environment: the answer is the short help.
  case nothingAsked(help: String)
  case unknownOption(place: String, suggestion: String?)
  case missingValue(place: String, written: String, String)
  case unwantedValue(place: String, written: String)
  case badValue(place: String, ValueError)
  case unexpectedArgument(String)
  case commandLineOnly(place: String)
  case queryAsArguments
  case unreadable(place: String, path: String, UnreadableFile)
  case iniCircle(place: String)
  case tooMuch(place: String)
  case iniSection(place: String, line: String)
  case iniWithoutSection(place: String, line: String)
  case noSection(file: String, wanted: String)
  case unsetVariable(place: String, name: String)
  case noApplication
  case noSocket(script: String?)
  case cgiWithSockets
  case workersWithoutMaster(Int)
  case watchWithoutMaster(String)
  case cheaperAboveAll(Int, Int)
  case busynessUpsideDown(Int, Int)
  case addressTwice(Address)
  case tlsKeys(certificates: Int, keys: Int)
  case tlsWithoutCertificate(Address)
  case tlsWithoutSocket(certificate: String)
  case challengesWithoutSocket(directory: String)
  case strictWithoutSocket(seconds: Int)
  case revocationsWithoutClients(file: String)
  case mountTwice(String, String, String)
  case optionForNoApp(mount: String)
  case unsignable(String, runtime: String)
  case jumpToNowhere(label: String, option: String)
  case endWithoutBlock(place: String)
  case unknownReference(place: String, name: String, suggestion: String?)
  case referenceCircle(place: String)
  case refusedOption(place: String, reason: String, fix: String)
  case idlePlugin(name: String, example: String)
  case optionOfIdleRuntime(runtime: String, key: String, example: String)
  /// With `strict`: what would be lost.
  case loss(String)
  /// What else would be lost, if there are other errors.
  case alsoLost(String)
  /// More than one of the others.
  case several([ConfigError])

  /// The status to exit with: 1, as uWSGI does for anything wrong with its options.
  public var exitCode: Int32 { 1 }

  /// What is wrong, without a full stop.
  public var sentence: String {
    switch self {
    case .nothingAsked(let help): help
    case .unknownOption(let place, _): "\(place) is not an option"
    case .missingValue(let place, _, _): "\(place): the value is missing"
    case .unwantedValue(let place, _): "\(place): this option takes no value"
    case .badValue(let place, let error): "\(place): \(error.problem)"
    case .unexpectedArgument(let text): "`\(text)` is not expected here"
    case .commandLineOnly(let place): "\(place): this option works on the command line only"
    case .queryAsArguments: "the request's query may be among the arguments"
    case .unreadable(_, let path, let error) where error.fix != nil:
      "\(path)\(error.line.map { ":\($0)" } ?? ""): \(error.problem)"
    case .unreadable(let place, let path, let error): "\(place): cannot read \(path): \(error.problem)"
    case .iniCircle(let place): "\(place): the files include each other"
    case .tooMuch(let place):
      "\(place): from here on the configuration comes to more than \(Limits.configurationKeys) keys or "
        + "\(Limits.configurationBytes >> 20) MiB"
    case .iniSection(let place, let line): "\(place): `\(line)` has no closing bracket"
    case .iniWithoutSection(let place, let line): "\(place): `\(line)` stands before any section"
    case .noSection(let file, let wanted): "\(file) has no section [\(wanted)]"
    case .unsetVariable(let place, let name): "\(place): \(name) is not set in the environment"
    case .noApplication: "no application: there is nothing to serve"
    case .noSocket: "no socket: there is nowhere to listen"
    case .cgiWithSockets: "`--cgi` answers one request from its environment and cannot listen as well"
    case .workersWithoutMaster(let count): "\(count) workers cannot be had without a master"
    case .watchWithoutMaster(let option): "--\(option) is a master's work, and there is none"
    case .cheaperAboveAll(let least, let all): "--cheaper \(least) is more than all \(all) workers"
    case .busynessUpsideDown(let least, let most):
      "--cheaper-busyness-min \(least) is not below --cheaper-busyness-max \(most)"
    case .addressTwice(let address): "two sockets are to listen at \(address)"
    case .tlsKeys(let certificates, let keys):
      "there are \(certificates) of --tls-cert and \(keys) of --tls-key"
    case .tlsWithoutCertificate(let address): "the socket \(address) is to speak TLS and has no certificate"
    case .tlsWithoutSocket(let certificate): "no socket would present \(certificate)"
    case .challengesWithoutSocket(let directory):
      "no socket would answer challenges from \(directory)"
    case .strictWithoutSocket: "`--hsts` is for sockets that speak TLS, and there is none"
    case .revocationsWithoutClients(let file):
      "no socket asks clients for certificates, which \(file) could revoke"
    case .mountTwice(let mount, let first, let second):
      "\(first) and \(second) are both mounted at \(mount.isEmpty ? "/" : mount)"
    case .optionForNoApp(let mount):
      "`--app-option` is for \(mount.isEmpty ? "/" : mount), and no app is mounted there"
    case .unsignable(let app, let runtime):
      "\(app) is made by \(runtime) of files that no signature covers, and --app-key lets only signed "
        + "builds load"
    case .jumpToNowhere(let label, let option): "`goto:\(label)`: no `\(option) \(label)` stands further down"
    case .endWithoutBlock(let place): "\(place): nothing is open that it could end"
    case .unknownReference(let place, let name, _): "\(place): no key is called \(name)"
    case .referenceCircle(let place): "\(place): the keys refer to each other"
    case .refusedOption(let place, let reason, _): "\(place): \(reason)"
    case .loss(let sentence), .alsoLost(let sentence): sentence
    case .several(let errors): errors.map(\.description).joined(separator: "\n")
    case .idlePlugin(let name, _): "the plugin \(name) has nothing to serve"
    case .optionOfIdleRuntime(let runtime, let key, _):
      "`--\(key)` is for apps of the plugin \(runtime), and there is none"
    }
  }

  /// What to do about it; empty for `nothingAsked`.
  public var fix: String {
    switch self {
    case .nothingAsked: ""
    case .unknownOption(_, let suggestion?): "did you mean \(suggestion)?"
    case .unknownOption(_, nil): "see --help"
    case .missingValue(_, let written, let placeholder): "write \(written) \(placeholder)"
    case .unwantedValue(_, let written): "write \(written)"
    case .badValue(_, let error): error.fix
    case .unexpectedArgument(let text):
      text.hasSuffix(".so") ? "write --app \(text)" : "options begin with --; see --help"
    case .commandLineOnly: "take it out"
    case .queryAsArguments:
      "run it from a shell script without \"$@\", or set NSGI_ARGUMENTS to the number of its own words"
    case .unreadable(_, _, let error): error.fix ?? "check the path and its permissions"
    case .iniCircle: "take one of the lines out by which they do"
    case .tooMuch: "take loops out of loops, and references to references"
    case .iniSection: "write it as in [server]"
    case .iniWithoutSection: "write [server] above it"
    case .noSection(_, let wanted): "put the keys below [\(wanted)]"
    case .unsetVariable(_, let name): "set it, or write the value in place of $(\(name))"
    case .noApplication: "add --app PATH, the shared library to serve, or -w MODULE for Python"
    case .noSocket(let script?):
      "add --http-socket 127.0.0.1:8080, or another of the socket options; a script has them behind its name "
        + "(`\(script) --http-socket 127.0.0.1:8080`), and a web server that starts it gives it a listening "
        + "socket on descriptor 0 or runs it as a CGI program"
    case .noSocket: "add --http-socket 127.0.0.1:8080, or another of the socket options"
    case .cgiWithSockets: "leave out --cgi, or the sockets"
    case .workersWithoutMaster: "leave out --no-master, or write -p 1"
    case .watchWithoutMaster(let option): "leave out --no-master, or --\(option)"
    case .cheaperAboveAll(_, let all): "write --cheaper \(max(1, all - 1)), or raise --processes"
    case .busynessUpsideDown: "workers start above the one and stop below the other: exchange them"
    case .addressTwice: "take one of them out, or change its address"
    case .tlsKeys:
      "give each certificate its key, in the same order, or all of them in the certificates' files"
    case .tlsWithoutCertificate(let address):
      "write --https-socket \(address),CERT,KEY, or add --tls-cert and --tls-key"
    case .tlsWithoutSocket: "add --https-socket 0.0.0.0:443"
    case .challengesWithoutSocket: "add --http-redirect 0.0.0.0:80"
    case .strictWithoutSocket(let seconds):
      "add --https-socket 0.0.0.0:443,CERT,KEY; where a front end speaks TLS: "
        + "--add-header 'Strict-Transport-Security: max-age=\(seconds)'"
    case .revocationsWithoutClients: "add --tls-client-ca FILE"
    case .mountTwice: "give each its own, as in --app /blog=blog.so"
    case .optionForNoApp(let mount):
      "write --app \(mount.isEmpty ? "" : mount + "=")PATH, or correct the mount"
    case .unsignable: "serve it by a server of its own without --app-key, or build it as a shared library"
    case .idlePlugin(_, let example), .optionOfIdleRuntime(_, _, let example): "add \(example)"
    case .jumpToNowhere(let label, let option):
      "write one behind that rule, since rules only go forward: \(option) = \(label)"
    case .endWithoutBlock: "take it out, or write the `if-…` or `for…` before it"
    case .unknownReference(_, _, let suggestion?): "did you mean %(\(suggestion))?"
    case .unknownReference(_, let name, nil): "write `\(name) = VALUE`, or the value in its place"
    case .referenceCircle: "write the value of one of them out"
    case .refusedOption(_, _, let fix): fix
    case .loss: "take it out, or leave strict out"
    case .several, .alsoLost: ""
    }
  }

  /// A file named at `place` cannot be read, in the words of the reader.
  static func unreadable(_ place: String, _ path: String, _ error: any Error) -> ConfigError {
    .unreadable(place: place, path: path, error as? UnreadableFile ?? UnreadableFile("\(error)"))
  }

  /// The errors that this one stands for, one sentence each.
  public var all: [ConfigError] { if case .several(let errors) = self { errors } else { [self] } }

  /// One error for all of these; nil for none.
  static func of(_ errors: [ConfigError]) -> ConfigError? {
    errors.count < 2 ? errors.first : .several(errors)
  }

  /// The sentence and the fix on one line.
  public var description: String { fix.isEmpty ? sentence : "\(sentence); \(fix)" }
}
