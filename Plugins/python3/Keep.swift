// The application's modules, kept with each of its generations: a worker that is started later, or a
// generation that is brought back, runs the same code, whatever is at the paths by then. keep.py imports from
// the copy.
import CNSGI
import Glibc

/// The extension `draft.keep/1` (docs/NSGI.md).
private struct KeepTable {
  /// Writes what the application is made from to a descriptor: 1, with what is left out in `boot.error`; 0 if
  /// that cannot be kept, with the reason there, which is empty if no part of it is there.
  let keep: @convention(c) (UnsafePointer<nsgi_boot>?, Int32) -> Int32
}

/// Which modules those are, and their copy.
enum Keep {
  /// The answer of `nsgi_app.extension`.
  nonisolated(unsafe) static let table: UnsafeRawPointer = {
    let table = UnsafeMutablePointer<KeepTable>.allocate(capacity: 1)
    table.initialize(
      to: KeepTable { boot, descriptor in
        guard let boot else { return 0 }
        do throws(LoadFailure) {
          let leftOut = try Keep.write(PythonOptions(boot.pointee.options), to: descriptor)
          LoadFailure(leftOut).write(to: boot.pointee.error, boot.pointee.error_cap)
          return 1
        } catch {
          error.write(to: boot.pointee.error, boot.pointee.error_cap)
          return 0
        }
      })
    return UnsafeRawPointer(table)
  }()

  /// The most that one application may have: files, and their bytes.
  static let mostFiles = 10_000
  static let mostBytes = 32 << 20

  /// Writes the files below the directories in which the application's modules are searched for; returns what
  /// is left out, in words.
  private static func write(_ options: PythonOptions, to descriptor: Int32) throws(LoadFailure) -> String {
    let script = options.file.map { absolute(file(in: $0)) }
    let roots = roots(options, script)
    let module = (options.module ?? "").prefix { $0 != ":" && $0 != "." }
    let home = roots.first { root in
      script.map { System.parent($0) == root }
        ?? ["\(root)/\(module).py", "\(root)/\(module)/"].contains { System.status($0) != nil }
    }
    guard let home else {
      // An installed package, or nothing at all, which loading it will report.
      guard let archive = roots.first(where: isFile) else { throw LoadFailure("") }
      throw LoadFailure("modules in archives are not copied: \(archive)")
    }
    var collection = ModuleCollection()
    var leftOut: [String] = []
    if let script { collection.add(script) }
    // The one with the application comes first: others are left out if they are too much.
    for root in [home] + roots.filter({ $0 != home }) {
      guard !isFile(root) else {
        leftOut.append("the archive \(root)")
        continue
      }
      do throws(LoadFailure) { try collection.add(below: root) } catch {
        if root == home { throw error }
        leftOut.append("modules below \(root), because \(error.sentence)")
      }
    }
    try collection.write(to: descriptor)
    return leftOut.joined(separator: ", ")
  }

  private static func isFile(_ path: String) -> Bool {
    System.status(path).map { $0.st_mode & S_IFMT == S_IFREG } ?? false
  }

  /// Where Python searches for modules first, as bootstrap.py arranges it (`add_path`).
  private static func roots(_ options: PythonOptions, _ script: String?) -> [String] {
    let named = options.path.flatMap { directory in
      directory.contains(where: { "*?".contains($0) }) ? System.paths(directory) : [directory]
    }
    let all = named + (script.map { [System.parent($0)] } ?? []) + [System.workingDirectory() ?? "/"]
    var found: [String] = []
    for root in all.map(absolute) where !found.contains(root) { found.append(root) }
    return found
  }

  /// "blog.py" of "blog.py:make('/x')", which may be a file's name too.
  private static func file(in text: String) -> String {
    if System.status(text) != nil { return text }
    for colon in text.indices where text[colon] == ":" && colon != text.startIndex {
      if System.status(String(text[..<colon])) != nil { return String(text[..<colon]) }
    }
    return text
  }

  /// Like os.path.abspath(): follows no links.
  static func absolute(_ path: String) -> String {
    var parts: [Substring] = []
    for part in Home.absolute(path).split(separator: "/") {
      if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
  }
}

/// Files to be kept.
private struct ModuleCollection {
  /// A file's text, and its state, which may tell whether that file is still at its path.
  private typealias Module = (text: [UInt8], state: FileState, isSettled: Bool)

  private var paths: [String] = []
  private var known: Set<String> = []
  /// Where the paths of each tree begin; the first tree is the application's own, with its script.
  private var starts = [0]

  /// The most directory entries that are examined below one root.
  private static let mostEntries = 20_000
  /// The deepest nesting of directories.
  private static let mostDepth = 24
  /// Directories with packages of others, or with nothing that could be imported.
  private static let foreign: Set<String> = [
    "__pycache__", "site-packages", "dist-packages", "node_modules",
  ]

  /// Adds a file, whatever its name.
  mutating func add(_ path: String) { if known.insert(path).inserted { paths.append(path) } }

  /// Adds Python's files in a directory and below it.
  mutating func add(below root: String) throws(LoadFailure) {
    guard root != "/" else { throw LoadFailure("its directory is /, of which no copies are kept") }
    var (rest, entries, seen) = ([(root, 0)], 0, Set<[Int]>())
    var found: [String] = []
    while let (directory, depth) = rest.popLast() {
      guard let status = System.status(directory),
        seen.insert([Int(status.st_dev), Int(status.st_ino)]).inserted
      else { continue }
      let names = System.names(in: directory)
      // A virtual environment has packages of others.
      if depth > 0, names.contains("pyvenv.cfg") { continue }
      entries += names.count
      guard entries <= Self.mostEntries, paths.count + found.count <= Keep.mostFiles else {
        throw LoadFailure(
          "below \(root) are more than \(Self.mostEntries) files, or \(Keep.mostFiles) of Python")
      }
      for name in names.sorted() where !name.hasPrefix(".") && !Self.foreign.contains(name) {
        if name.hasSuffix(".py") {
          found.append("\(directory)/\(name)")
        } else if depth < Self.mostDepth, !name.contains("."), isDirectory("\(directory)/\(name)") {
          rest.append(("\(directory)/\(name)", depth + 1))
        }
      }
    }
    for path in found { add(path) }
    starts.append(paths.count)
  }

  private func isDirectory(_ path: String) -> Bool {
    System.status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
  }

  /// How often all are checked until none has changed since it was read: a deployment in progress must not
  /// leave a copy of half of it.
  private static let mostLooks = 5
  private static let lookMicroseconds: UInt32 = 50_000

  /// Writes them in the format that keep.py reads; one that cannot be read is left out.
  func write(to descriptor: Int32) throws(LoadFailure) {
    let taken = System.calendar
    let modules = try read()
    var bytes = Array("nsgi modules 2 \(taken)\n".utf8)
    for path in paths {
      guard let (text, state, _) = modules[path] else { continue }
      let line = "\(state.modified) \(text.count) \(state.inode) \(state.changed) \(path.utf8.count)\n"
      bytes += Array(line.utf8) + Array(path.utf8) + text
    }
    guard System.writeAll(descriptor, bytes) else { throw LoadFailure("the copy cannot be written") }
  }

  /// All of them as they were at one moment. A tree that does not come to rest is left out; the application's
  /// must not be one.
  private func read() throws(LoadFailure) -> [String: Module] {
    var (modules, stale, size) = ([String: Module](), paths, 0)
    for look in 1...Self.mostLooks {
      if look > 1 { System.pause(microseconds: Self.lookMicroseconds) }
      for path in stale {
        size -= modules[path]?.text.count ?? 0
        modules[path] = System.contents(path, atMost: Keep.mostBytes)
        size += modules[path]?.text.count ?? 0
        guard size <= Keep.mostBytes else {
          throw LoadFailure("its modules come to more than \(Keep.mostBytes >> 20) MiB")
        }
      }
      stale = paths.filter { path in
        guard let module = modules[path] else { return false }
        return module.state != System.state(path) || !module.isSettled
      }
      if stale.isEmpty { return modules }
    }
    let restless = Set(stale)
    for (place, start) in starts.enumerated() {
      let end = place + 1 < starts.count ? starts[place + 1] : paths.count
      guard let first = paths[start..<end].first(where: restless.contains) else { continue }
      guard place > 0 else {
        throw LoadFailure("\(first) changes while it is copied: swap again when all files are written")
      }
      for path in paths[start..<end] { modules[path] = nil }
    }
    return modules
  }
}
