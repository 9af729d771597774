import Config
import Control

/// Files whose change asks for something: `--touch-reload` and, with `--watch`, the applications' own.
///
/// The kernel tells of a name that appears or is written in a directory. It does not tell of a link on the
/// way that is turned elsewhere, of a hard link, or of a directory that is made anew: for these the master
/// looks once a second at what each path leads to.
struct FileWatch {
  let descriptor: Int32
  /// Directory -> its watch.
  var directories: [String: Int32] = [:]
  /// Paths, by their directory's watch and their name there.
  var names: [Int32: [String: String]] = [:]
  var files: [String: WatchedFile] = [:]
  /// Paths that have changed and are not settled yet.
  var changed: [String] = []
}

/// A path that is watched.
struct WatchedFile {
  /// What is asked for.
  var changes: [Change] = []
  /// The logs are opened again.
  var reopensLogs = false
  /// What it led to when its change was last acted on.
  var seen: FileIdentity?
  /// What it leads to since the last look: a second look finds it finished.
  var candidate: FileIdentity?
}

extension Master {
  /// Milliseconds without a further change before a file counts as complete.
  private static let settlingSeconds = 0.2

  /// Watches what the configuration names; called again after each change of it.
  func watchFiles() {
    guard let release = releases.current else { return }
    let supervision = release.settings.supervision
    let reopenFiles = release.settings.log.reopenFiles
    let wantsAny = !supervision.touchFiles.isEmpty || supervision.watchesApps || !reopenFiles.isEmpty
    if files == nil {
      guard wantsAny else { return }
      guard let fd = try? System.fileWatcher() else { return }
      files = FileWatch(descriptor: fd)
      try? watch(fd, .files)
    }
    let before = files!.files
    (files!.names, files!.files) = ([:], [:])
    for path in supervision.touchFiles { want(path, .reload(cause: "--touch-reload \(path)")) }
    for path in reopenFiles { want(path, nil) }
    for (app, build) in zip(release.settings.apps, release.builds)
    where supervision.watchesApps && app.runtime == nil {
      let path = release.settings.location(of: app)
      want(path, .swap(mount: app.mount, file: nil), copied: build.original)
    }
    // What they load belongs to whoever else loads it too.
    for (app, build) in zip(release.settings.apps, release.builds) where app.isKeptWhole {
      for path in build.libraries.identities.keys where path.hasPrefix("/") {
        want(path, .swap(mount: nil, file: nil))
      }
    }
    for (path, file) in before where files!.files[path] != nil { files!.files[path]!.seen = file.seen }
  }

  /// Watches a path; `copied`: what stood there when the build that serves was made of it, so that a change
  /// since then is one.
  private func want(_ path: String, _ change: Change?, copied: FileIdentity? = nil) {
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    // A path may be named for several things.
    var file = files!.files[path] ?? WatchedFile(seen: copied ?? System.identity(of: path))
    if let change { file.changes.append(change) } else { file.reopensLogs = true }
    files!.files[path] = file
    do throws(SystemError) {
      let watch =
        if let known = files!.directories[directory] { known } else {
          try System.watchDirectory(files!.descriptor, directory)
        }
      files!.directories[directory] = watch
      files!.names[watch, default: [:]][name] = path
    } catch { MasterLog.warning("\(path) cannot be watched: \(error.reason)") }
  }

  /// Something has appeared or changed in a watched directory.
  func filesChanged() {
    guard let watch = files else { return }
    for (directory, name) in System.appeared(watch.descriptor) {
      guard let path = watch.names[directory]?[name] else { continue }
      if !files!.changed.contains(path) { files!.changed.append(path) }
      alarms.set(.settled, seconds: Master.settlingSeconds)
    }
  }

  /// The files have stopped changing.
  func filesSettled() {
    let changed = files?.changed ?? []
    files?.changed = []
    act(on: changed)
  }

  /// What is asked for by several files is asked for once.
  private func act(on paths: [String]) {
    var changes: [Change] = []
    for path in paths {
      guard let file = files?.files[path] else { continue }
      files!.files[path]!.seen = System.identity(of: path)
      files!.files[path]!.candidate = nil
      if file.reopensLogs {
        MasterLog.info("\(path) has changed: logs are opened again (--touch-logreopen)")
        _ = reopenLogs()
      }
      for change in file.changes where !changes.contains(where: change.asksTheSame) { changes.append(change) }
    }
    for change in changes { inform(.asked(change, by: nil)) }
  }

  /// Once a second: what each path leads to. A file that is another, and the same at two looks, has changed.
  func lookAtFiles() {
    var changed: [String] = []
    for (path, file) in files?.files ?? [:] {
      let now = System.identity(of: path)
      guard let now, now != file.seen else {
        files!.files[path]!.candidate = nil
        continue
      }
      files!.files[path]!.candidate = now
      if now == file.candidate { changed.append(path) }
    }
    act(on: changed.sorted())
  }
}

extension Settings {
  /// Where an application's file is, seen from the master's directory.
  func location(of app: AppSettings) -> String {
    guard !app.path.hasPrefix("/"), let directory = process.directory else { return app.path }
    return directory + "/" + app.path
  }
}
