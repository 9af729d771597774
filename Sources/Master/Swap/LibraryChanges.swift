import Control

/// Libraries that builds load beside their own files. The server keeps no copies of them: a build that equals
/// the serving one counts as another build if they have changed, and an old build that is brought back, or a
/// replaced worker, runs with those that are there now.
///
/// Processes that run apps report them; the reports are compared and shown and, with `--watch`, files that
/// can be libraries are watched: a change has builds tried, and decides nothing else.
extension Master {
  /// Libraries that a trial has loaded and that not every serving worker has loaded too.
  func changedLibraries(_ report: LibraryReport) -> [String] {
    var result: Set<String> = []
    for worker in workers.values where phase(of: worker) == .serving {
      result.formUnion(report.differences(from: worker.libraries))
    }
    return result.sorted()
  }

  /// Libraries that a trial has loaded and that some serving worker loaded when they were other files: a
  /// build loaded into that process would get the old ones.
  func replacedLibraries(_ report: LibraryReport) -> [String] {
    var result: Set<String> = []
    for worker in workers.values where phase(of: worker) == .serving {
      result.formUnion(report.replacements(in: worker.libraries))
    }
    return result.sorted()
  }

  /// A worker has loaded its builds: reports what has changed since they were first loaded.
  func noteLibraries(of worker: WorkerHandle) {
    var changed: Set<String> = []
    for build in worker.release.builds {
      let known = releases.build(build.mount, build.generation)?.libraries ?? LibraryReport()
      changed.formUnion(known.replacements(in: worker.libraries))
      releases.adopt(worker.libraries, for: build)
    }
    guard !changed.isEmpty else { return }
    let sentence =
      "\(worker.title) runs with libraries that have changed since its build was loaded first, "
      + "\(Master.list(changed.sorted())): no copies of them are kept"
    MasterLog.warning(sentence)
    tellAskers(sentence)
  }

  /// A few of them by name.
  static func list(_ paths: [String]) -> String {
    let shown = paths.prefix(4).joined(separator: ", ")
    return paths.count > 4 ? "\(shown) and \(paths.count - 4) more" : shown
  }
}
