import Config
import Control

/// What `server ctl` asks: words separated by spaces, `%XX` for bytes that would be misread; the first is
/// `text` or `json`, the second the verb.
extension Master {
  /// Answers a line, now or when the change that it asks for has ended.
  func answer(_ id: Int, _ line: String) {
    var words = line.split(separator: " ").map { PercentWord.decoded($0) }
    guard words.count >= 2, ["text", "json"].contains(words[0]) else {
      return tell(id, .end(.refused("malformed request; use `server ctl`")))
    }
    clients[id]!.isJSON = words.removeFirst() == "json"
    let verb = words.removeFirst()
    // It serves everybody who may connect: nothing that it says changes anything.
    if clients[id]!.isViewer, verb != "snapshot" { return }
    switch verb {
    case "status": askForStatus(id)
    case "snapshot": tell(id, records(snapshot()))
    case "history": reply(id, words) { history($0) }
    case "diff": reply(id, words) { differences($0) }
    case "generations": reply(id, words) { generations($0) }
    case "swap": swap(id, words)
    case "rollback":
      reply(id, words) {
        inform(.asked(.rollback(mount: $0), by: id, cause: cause(id)))
        return nil
      }
    case "upgrade": inform(.asked(.upgrade(binary: words.first), by: id, cause: cause(id)))
    case "reload": inform(.asked(.reload(cause: "ctl"), by: id, cause: cause(id)))
    case "tls-reload": inform(.asked(.certificates(cause: "ctl"), by: id, cause: cause(id)))
    case "log-reopen": tell(id, .end(reopenLogs()))
    case "stop":
      // Answered when the last worker has left.
      tell(id, .progress("stops when what is under way is answered"))
      inform(.stop(code: 0))
    default: tell(id, .end(.refused("`\(verb)` is not a verb of this server; see server ctl --help")))
    }
  }

  private func cause(_ id: Int) -> ChangeRecord.Cause { clients[id]?.cause ?? .init(.ctl) }

  private func swap(_ id: Int, _ words: [String]) {
    guard let current = releases.current else {
      return tell(id, .end(.refused("the server is still starting")))
    }
    guard let (words, replay) = replay(words) else {
      let most = ReplaySettings.requestBounds.upperBound
      return tell(id, .end(.refused("--replay takes a number of requests, from 0 to \(most)")))
    }
    func ask(_ mount: String?, _ file: String?) {
      inform(.asked(.swap(mount: mount, file: file, replay: replay), by: id, cause: cause(id)))
    }
    switch words.count {
    case 0: ask(nil, nil)
    case 1:
      if let mount = mount(words[0]) {
        ask(mount, nil)
      } else if current.builds.count == 1, words[0].utf8.contains(UInt8(ascii: "/")) {
        ask(current.builds[0].mount, words[0])
      } else {
        tell(id, .end(.refused(unknown(words[0]))))
      }
    default:
      guard let mount = mount(words[0]) else { return tell(id, .end(.refused(unknown(words[0])))) }
      ask(mount, words[1])
    }
  }

  /// The words without `--replay N`, and its number; nil if that is none.
  private func replay(_ words: [String]) -> (words: [String], requests: Int?)? {
    guard let place = words.firstIndex(of: "--replay") else { return (words, nil) }
    guard place + 1 < words.count, let requests = Int(words[place + 1]),
      ReplaySettings.requestBounds.contains(requests)
    else { return nil }
    return (Array(words[..<place] + words[(place + 2)...]), requests)
  }

  /// Runs something for an application or, without a word, for all.
  private func reply(_ id: Int, _ words: [String], _ body: (String?) -> Reply?) {
    guard let word = words.first else {
      if let answer = body(nil) { tell(id, answer) }
      return
    }
    guard let mount = mount(word) else { return tell(id, .end(.refused(unknown(word)))) }
    if let answer = body(mount) { tell(id, answer) }
  }

  /// An application by its mount point or its name.
  private func mount(_ word: String) -> String? {
    let builds = releases.current?.builds ?? []
    let bare = word == "/" ? "" : word
    return (builds.first { $0.mount == bare } ?? builds.first { $0.name == word })?.mount
  }

  private func unknown(_ word: String) -> String {
    let known = (releases.current?.builds ?? []).map { "\($0.mount.isEmpty ? "/" : $0.mount) (\($0.name))" }
    return "no application `\(word)`; there are \(known.joined(separator: ", "))"
  }
}
