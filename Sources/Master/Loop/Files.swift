/// Files whose change asks for something: `--touch-reload` and, with `--watch`, the applications' own.
struct FileWatch {
  let descriptor: Int32
  /// Directory -> its watch.
  var directories: [String: Int32] = [:]
  /// What to do about a file, by its directory's watch and its name.
  var wanted: [Int32: [String: Change]] = [:]
  /// What has changed and is not settled yet.
  var changed: [Change] = []
}

extension Master {
  /// Milliseconds without a further change before a file counts as complete.
  private static let settlingSeconds = 0.2

  /// Watches what the configuration names; called again after each change of it.
  func watchFiles() {
    guard let release = current else { return }
    let supervision = release.settings.supervision
    guard !supervision.touchFiles.isEmpty || supervision.watchesApps else { return }
    if files == nil {
      guard let fd = try? System.fileWatcher() else { return }
      files = FileWatch(descriptor: fd)
      try? watch(fd, .files)
    }
    files!.wanted = [:]
    for path in supervision.touchFiles { want(path, .reload(cause: "--touch-reload \(path)")) }
    guard supervision.watchesApps else { return }
    for app in release.settings.apps where app.runtime == nil {
      let base = app.path.hasPrefix("/") ? nil : release.settings.process.directory
      want((base.map { $0 + "/" } ?? "") + app.path, .swap(mount: app.mount, file: nil))
    }
    // What they load belongs to whoever else loads it too.
    for (app, build) in zip(release.settings.apps, release.builds) where app.isKeptWhole {
      for path in build.libraries.identities.keys where path.hasPrefix("/") {
        want(path, .swap(mount: nil, file: nil))
      }
    }
  }

  private func want(_ path: String, _ change: Change) {
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    do throws(SystemError) {
      let watch =
        if let known = files!.directories[directory] { known } else {
          try System.watchDirectory(files!.descriptor, directory)
        }
      files!.directories[directory] = watch
      files!.wanted[watch, default: [:]][name] = change
    } catch { MasterLog.warning("\(path) cannot be watched: \(error.reason)") }
  }

  /// Something has appeared or changed in a watched directory.
  func filesChanged() {
    guard let watch = files else { return }
    for (directory, name) in System.appeared(watch.descriptor) {
      guard let change = watch.wanted[directory]?[name] else { continue }
      if !files!.changed.contains(change) { files!.changed.append(change) }
      alarms.set(.settled, seconds: Master.settlingSeconds)
    }
  }

  /// The files have stopped changing.
  func filesSettled() {
    let changed = files?.changed ?? []
    files?.changed = []
    for change in changed { submit(change, watcher: nil) }
  }
}
