import Config
import Control

/// Files whose change triggers an action: `--touch-reload` and, with `--watch`, the applications' own and
/// those of certificates.
///
/// The kernel reports a name that appears or is written in a directory. It does not report a link on the way
/// that is pointed elsewhere, a hard link, or a directory that is made anew: for these the master checks once
/// a second what each path leads to. If the kernel provides nothing to watch with, that is all.
struct FileWatch {
  /// -1: the kernel reports nothing.
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
  /// The changes that it asks for.
  var changes: [Change] = []
  /// The logs are reopened.
  var reopensLogs = false
  /// The file that it led to when its change was last acted on.
  var seen: FileIdentity?
  /// The file that it leads to since the last check: a second check finds it complete.
  var candidate: FileIdentity?
}

extension Master {
  /// Milliseconds without a further change before a file counts as complete.
  private static let settlingSeconds = 0.2

  /// Watches the files that the configuration names; called again after each change of it.
  func watchFiles() {
    guard let release = releases.current else { return }
    let supervision = release.settings.supervision
    let reopenFiles = release.settings.log.reopenFiles
    let wantsAny = !supervision.touchFiles.isEmpty || supervision.watchesApps || !reopenFiles.isEmpty
    if files == nil {
      guard wantsAny else { return }
      files = FileWatch(descriptor: fileWatcher())
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
    for path in release.settings.tlsFiles where supervision.watchesApps {
      want(path, .certificates(cause: "--watch \(path)"), copied: certificatesSeen[path])
    }
    // Files that they load may be loaded by others too.
    for (app, build) in zip(release.settings.apps, release.builds) where app.isKeptWhole {
      for path in build.libraries.watchable { want(path, .swap(mount: nil, file: nil)) }
    }
    for (path, file) in before where files!.files[path] != nil { files!.files[path]!.seen = file.seen }
    inheritedFiles = [:]
  }

  /// The files that are watched, for the master that follows. Changes that wait for their turn after the
  /// upgrade are refused here: to the new master their files are news again.
  var seenFiles: [Bequest.Seen] {
    let waiting = releases.queue.flatMap(\.causes)
    return (files?.files ?? [:]).sorted { $0.key < $1.key }.map { path, file in
      let waits = waiting.contains(.init(.watch, path)) || waiting.contains(.init(.touch, path))
      return Bequest.Seen(path: path, identity: waits ? nil : file.seen)
    }
  }

  /// The descriptor on which the kernel reports files; -1 if it does not, which is logged once.
  private func fileWatcher() -> Int32 {
    do throws(SystemError) {
      let fd = try System.fileWatcher()
      do throws(SystemError) { try watch(fd, .files) } catch {
        System.close(fd)
        throw error
      }
      return fd
    } catch {
      MasterLog.warning(
        "the kernel does not tell of changed files (\(error)): the master looks at them once a second")
      return -1
    }
  }

  /// Watches a path; `copied`: the file that was there when the serving build was made from it, so that a
  /// later change counts as one.
  private func want(_ path: String, _ change: Change?, copied: FileIdentity? = nil) {
    let directory = Paths.parent(of: path) ?? "."
    let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
    let name = slash.map { String(path[path.utf8.index(after: $0)...]) } ?? path
    // A path may be named for several purposes.
    var file = files!.files[path] ?? WatchedFile(seen: firstSeen(path, copied))
    if let change { file.changes.append(change) } else { file.reopensLogs = true }
    files!.files[path] = file
    if files!.descriptor < 0 { return }
    do throws(SystemError) {
      let watch =
        if let known = files!.directories[directory] { known } else {
          try System.watchDirectory(files!.descriptor, directory)
        }
      files!.directories[directory] = watch
      files!.names[watch, default: [:]][name] = path
    } catch {
      MasterLog.warning(
        "the kernel does not tell of changes of \(path) (\(error.reason)): the master looks once a second")
    }
  }

  /// The master before this one knows best what it has acted on: between that and this one's start the file
  /// may have changed.
  private func firstSeen(_ path: String, _ copied: FileIdentity?) -> FileIdentity? {
    if let known = inheritedFiles[path] { return known.identity }
    return copied ?? System.identity(of: path)
  }

  /// Something has appeared or changed in a watched directory.
  func filesChanged() {
    guard let watch = files else { return }
    let events = System.appeared(watch.descriptor, atMost: Limits.fileEventBytesPerTurn)
    for (directory, name) in events {
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

  /// Asks only once for a change that several files ask for.
  private func act(on paths: [String]) {
    var changes: [(change: Change, cause: ChangeRecord.Cause)] = []
    for path in paths {
      guard let file = files?.files[path] else { continue }
      files!.files[path]!.seen = System.identity(of: path)
      files!.files[path]!.candidate = nil
      if file.reopensLogs {
        MasterLog.info("\(path) has changed: logs are opened again (--touch-logreopen)")
        _ = reopenLogs()
      }
      for change in file.changes where !changes.contains(where: { change.asksTheSame(as: $0.change) }) {
        let isTouched = if case .reload = change { true } else { false }
        changes.append((change, ChangeRecord.Cause(isTouched ? .touch : .watch, path)))
      }
    }
    for (change, cause) in changes { inform(.asked(change, by: nil, cause: cause)) }
  }

  /// Checks once a second what each path leads to. A file that differs, and is the same at two checks, has
  /// changed.
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
  /// The path of an application's file, relative to the master's directory.
  func location(of app: AppSettings) -> String {
    guard !app.path.hasPrefix("/"), let directory = process.directory else { return app.path }
    return directory + "/" + app.path
  }
}
