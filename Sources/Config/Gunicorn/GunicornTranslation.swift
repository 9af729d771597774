// The combined meaning of gunicorn's options: the kind of worker decides what threads and timeouts mean.

struct GunicornTranslation {
  typealias Given = (option: GunicornOption, written: String, value: String)
  /// An option of this server with the words that it comes from: a name of gunicorn's, a variable, or none.
  private typealias Pair = (written: String, name: String, value: String?)

  private let given: [Given]
  private let environment: [String: String]
  private(set) var findings = Findings()
  private(set) var accepted: [String] = []
  private var pairs: [Pair] = []

  init(_ given: [Given], _ environment: [String: String]) {
    (self.given, self.environment) = (given, environment)
    for (option, written, value) in given {
      let quoted = "`\(written)\(value.isEmpty ? "" : " " + value)`"
      switch option.meaning {
      case .option(let name, let values): pairs += values(value).map { (written, name, $0) }
      case .flag(let name): pairs.append((written, name, nil))
      case .kept: break
      case .accepted: if !accepted.contains(written) { accepted.append(written) }
      case .lost(let sentence): findings.losses.append(Loss(place: quoted, sentence: sentence))
      case .refused(let fix):
        findings.problems.append(
          .refusedOption(
            place: quoted, reason: "this server does not do what gunicorn does with it", fix: fix))
      }
    }
    takeWorkers()
    takeLogs()
    if let reload = last("reload") { pairs.append((reload.written, "py-autoreload", "1")) }
  }

  /// The options, including gunicorn's own defaults where no other value was given.
  func options(serving application: String, beside others: [Occurrence]) -> [Occurrence] {
    func isGiven(_ name: String) -> Bool {
      pairs.contains { $0.name == name } || others.contains { $0.spec.name == name }
    }
    var all: [Pair] = [("", "module", application)]
    let hasSocket =
      pairs.contains { $0.name.hasSuffix("socket") }
      || others.contains { $0.spec.name.hasSuffix("socket") }
    // What is no number is an error with the variable's name, except the links of clusters (tcp://…).
    if !hasSocket {
      let port = environment["PORT"] ?? ""
      let isGiven = !port.isEmpty && !port.holds("://")
      let pair: Pair =
        isGiven ? ("PORT", "http-socket", "0.0.0.0:" + port) : ("", "http-socket", "127.0.0.1:8000")
      all.append(pair)
    }
    if !isGiven("processes") {
      let count = environment["WEB_CONCURRENCY"] ?? ""
      let pair: Pair = count.isEmpty ? ("", "processes", "1") : ("WEB_CONCURRENCY", "processes", count)
      all.append(pair)
    }
    if !isGiven("trusted-proxy") {
      for peer in GunicornOption.peers(environment["FORWARDED_ALLOW_IPS"] ?? "") {
        all.append(("FORWARDED_ALLOW_IPS", "trusted-proxy", peer))
      }
    }
    let speaksUWSGI = last("protocol")?.value == "uwsgi"
    return (all + pairs).compactMap { written, name, value in
      let option = speaksUWSGI && name == "http-socket" ? "uwsgi-socket" : name
      let isVariable = !written.isEmpty && environment[written] != nil
      return OptionTable.index(named: option).map {
        Occurrence(
          index: $0, written: written.isEmpty ? "--" + option : written, value: value,
          origin: isVariable ? .environment : .commandLine)
      }
    }
  }

  private func last(_ setting: String) -> Given? { given.last { $0.option.setting == setting } }

  /// A sync worker answers one request, and is killed if that takes longer than the timeout.
  private mutating func takeWorkers() {
    let kind = last("worker_class")
    let threads = last("threads")
    let timeout = last("timeout")
    let name = kind?.value.split { $0 == "." || $0 == "#" }.last.map(String.init) ?? "sync"
    var isSync = false
    switch name {
    case "sync", "SyncWorker":
      isSync = threads == nil || threads?.value == "1"
      pairs.append((threads?.written ?? "--threads", "threads", threads?.value ?? "1"))
    case "gthread", "ThreadWorker":
      pairs.append((threads?.written ?? "--threads", "threads", threads?.value ?? "1"))
    case "asgi", "ASGIWorker":
      pairs.append((kind!.written, "interface", "asgi"))
    case _ where name.lowercased().contains("uvicorn") || kind!.value.hasPrefix("uvicorn"):
      pairs.append((kind!.written, "interface", "asgi"))
    default:
      let most = last("worker_connections")?.value ?? "100"
      findings.losses.append(
        Loss(
          place: "`\(kind!.written) \(kind!.value)`",
          sentence: "requests have a thread each, at most \(most) at once; write --threads for another number"
        ))
      pairs.append((kind!.written, "threads", threads?.value ?? most))
    }
    if let timeout {
      pairs.append((timeout.written, "harakiri", timeout.value))
      if !isSync, timeout.value != "0" {
        findings.warnings.append(
          "`\(timeout.written) \(timeout.value)`: a request that takes longer is cancelled and gets 504; in "
            + "such workers gunicorn lets it go on; --timeout 0 does too")
      }
    } else if isSync {
      pairs.append(("--timeout", "harakiri", "30"))
    }
  }

  /// The format in this server's names.
  private mutating func takeLogFormat() {
    guard let format = last("access_log_format") else { return }
    let (text, lost) = GunicornLogFormat.translated(format.value)
    pairs.append((format.written, "log-format", text))
    guard !lost.isEmpty else { return }
    findings.losses.append(
      Loss(
        place: "`\(format.written) \(format.value)`",
        sentence: "there is no \(lost.joined(separator: ", ")) here, and - stands in its place"))
  }

  /// Errors and requests have a log each; requests have none unless it is asked for.
  private mutating func takeLogs() {
    takeLogFormat()
    let access = last("accesslog")
    let errors: Given? = last("errorlog").flatMap { Self.isFile($0.value) ? $0 : nil }
    if access == nil || access?.value == "None" {
      pairs.append(("--access-logfile", "disable-logging", nil))
    }
    if let errors { pairs.append((errors.written, "logto", errors.value)) }
    guard let access, access.value != "None", access.value != errors?.value else { return }
    if Self.isFile(access.value) {
      pairs.append((access.written, "req-logger", "file:" + access.value))
    } else if let errors {
      findings.losses.append(
        Loss(
          place: "`\(access.written) \(access.value)`",
          sentence: "requests are logged where errors are, in \(errors.value)"))
    }
  }

  /// Whether a log is a file, and neither left out nor the terminal.
  private static func isFile(_ log: String) -> Bool { log != "-" && log != "None" }
}
