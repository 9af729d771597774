import Control

/// Libraries that builds load beside their own files. The server keeps no copies of them: a build that equals
/// the serving one is another build where they have changed, and an old build that is brought back, or a
/// worker that is replaced, runs with those that lie there now.
///
/// What they are is told by processes that run apps; it is compared and shown, and decides nothing else.
extension Master {
  /// Libraries that a trial has loaded and that not every serving worker has loaded too.
  func changedLibraries(_ report: LibraryReport) -> [String] {
    var result: Set<String> = []
    for worker in workers.values where worker.state == .serving {
      result.formUnion(report.differences(from: worker.libraries))
    }
    return result.sorted()
  }

  /// Libraries that a trial has loaded and that some serving worker has loaded when they were other files: a
  /// build that comes into that process would get those.
  func replacedLibraries(_ report: LibraryReport) -> [String] {
    var result: Set<String> = []
    for worker in workers.values where worker.state == .serving {
      result.formUnion(report.replacements(in: worker.libraries))
    }
    return result.sorted()
  }

  /// A worker has loaded its builds: says what has changed since they were loaded first.
  func noteLibraries(of worker: WorkerHandle) {
    var changed: Set<String> = []
    for build in worker.release.builds {
      let known = history.libraries(build.mount, build.generation) ?? current?.libraries(of: build)
        ?? rollout?.target.libraries(of: build) ?? LibraryReport()
      changed.formUnion(known.replacements(in: worker.libraries))
      history.adopt(build.mount, build.generation, worker.libraries)
      current?.adopt(build, worker.libraries)
      rollout?.target.adopt(build, worker.libraries)
    }
    guard !changed.isEmpty else { return }
    let sentence =
      "\(worker.title) runs with libraries that have changed since its build was loaded first, "
      + "\(Master.list(changed.sorted())): no copies of them are kept"
    MasterLog.warning(sentence)
    tell(underWay?.watcher, .progress(sentence))
  }

  /// A few of them by name.
  static func list(_ paths: [String]) -> String {
    let shown = paths.prefix(4).joined(separator: ", ")
    return paths.count > 4 ? "\(shown) and \(paths.count - 4) more" : shown
  }
}

extension Release {
  fileprivate func libraries(of build: Build) -> LibraryReport? {
    builds.first { $0.mount == build.mount && $0.generation == build.generation }?.libraries
  }

  fileprivate mutating func adopt(_ build: Build, _ libraries: LibraryReport) {
    for index in builds.indices
    where builds[index].mount == build.mount && builds[index].generation == build.generation {
      builds[index].libraries = libraries
    }
  }
}

extension History {
  /// What a build has loaded; nil for one that was not put to work.
  fileprivate func libraries(_ mount: String, _ generation: Int) -> LibraryReport? {
    builds[mount]?.first { $0.generation == generation }?.libraries
  }
}
