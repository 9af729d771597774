// Watched files: which limit is named where the kernel does not tell of them.
import Foundation
import Support
import Testing

@testable import Master

@Suite struct FileWatchTests {
  @Test("whoever makes very many files in a watched directory has the master's attention for a while only")
  func flood() throws {
    let folder = try TemporaryFolder()
    let watcher = try System.fileWatcher()
    defer { System.close(watcher) }
    let watch = try System.watchDirectory(watcher, folder.path)
    let names = (0..<200).map { "file\($0)" }
    for name in names { try folder.write("", to: name) }
    let first = System.appeared(watcher, atMost: 1024)
    #expect(!first.isEmpty && first.count <= 1024 / 16)
    var seen = first
    while true {
      let more = System.appeared(watcher, atMost: 1024)
      if more.isEmpty { break }
      seen += more
    }
    #expect(seen.allSatisfy { $0.watch == watch } && Set(seen.map(\.name)).isSuperset(of: names))
  }

  @Test("where the kernel watches no more files, the limit that holds is named, and no other")
  func limits() {
    let instances = SystemError("inotify_init1", EMFILE).reason
    #expect(instances.contains("fs.inotify.max_user_instances") && !instances.contains("--max-fd"))
    let watches = SystemError("inotify_add_watch", ENOSPC).reason
    #expect(watches.contains("fs.inotify.max_user_watches"))
    #expect(SystemError("open", EMFILE).reason.contains("--max-fd"))
    #expect(!SystemError("write", ENOSPC).reason.contains("inotify"))
  }
}
