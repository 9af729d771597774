import Config
import Control

/// The server's own files as this process finds them: plugins, libraries, and the reader of configurations.
/// What its master holds open is of the master's own build, whatever lies at its path by now.
public struct HeldFiles: Sendable {
  /// Those of this process: none, unless a master has handed some over. Written before any of them is used.
  nonisolated(unsafe) private static var shared = HeldFiles(program: System.executablePath)

  private let executable: String
  /// Descriptors by path; -1 for one that is not needed any more.
  private var descriptors: [String: Int32] = [:]

  /// - Parameter program: the server's own, from which other files are looked for.
  init(program: String, _ files: [HeldFile] = []) {
    executable = program
    for file in files { descriptors[file.path] = file.descriptor }
  }

  /// Whether there is a file at a path, or was one when the master started.
  func exists(_ path: String) -> Bool { descriptors[path] != nil || System.exists(path) }

  /// The name by which to open, load or start the file of a path: its own, unless it is held.
  func place(of path: String) -> String {
    guard let descriptor = descriptors[path], descriptor >= 0 else { return path }
    return "/proc/self/fd/\(descriptor)"
  }

  // MARK: Those of this process

  /// The file of the server's program when its master started; empty if that cannot be found out.
  public static var program: String { shared.executable }

  /// Whether there is a file at a path, or was one when the master started.
  public static func exists(_ path: String) -> Bool { shared.exists(path) }

  /// The name by which this process opens, loads or starts the file of a path. A copy of the process can use
  /// it too.
  public static func place(of path: String) -> String { shared.place(of: path) }

  /// Takes those that the orders name. Programs that this process starts do not get them.
  static func take(_ orders: Orders) {
    for file in orders.held { System.closeOnExec(file.descriptor) }
    let program = orders.program.isEmpty ? System.executablePath : orders.program
    shared = HeldFiles(program: program, orders.held)
  }

  /// Leaves them to the program that this process is about to become.
  static func leaveToProgram() {
    for descriptor in shared.descriptors.values where descriptor >= 0 { System.inheritOnExec(descriptor) }
  }

  /// Everything that this process needs of them is loaded.
  static func release() {
    for (path, descriptor) in shared.descriptors where descriptor >= 0 {
      System.close(descriptor)
      shared.descriptors[path] = -1
    }
  }

  // MARK: Those of a master

  /// Opens what a master holds: everything that is there, whether the configuration asks for it or not, since
  /// a reload may. A file that cannot be opened is looked for when it is needed.
  static func open(_ settings: Settings) -> [HeldFile] {
    let search = PluginSearch(directories: settings.pluginDirectories)
    let wanted = settings.apps.compactMap(\.runtime)
    let own = ["python3", "ffi"].map { RuntimeReference(name: $0) }
    // A plugin that is named by its file is the operator's.
    let plugins = (wanted.filter { $0.path == nil } + own).compactMap { try? search.find($0) }
    let workers = (wanted.compactMap(\.path) + plugins).compactMap { search.library(beside: $0) }
    var found = plugins.map { (HeldFile.Kind.plugin, $0) } + workers.map { (HeldFile.Kind.worker, $0) }
    if let library = try? search.find(library: "nsgi_tls") { found.append((.tls, library)) }
    if let reader = readers.first(where: { System.exists($0) }) { found.append((.reader, reader)) }
    var files: [HeldFile] = []
    for (kind, path) in found where !files.contains(where: { $0.path == path }) {
      guard let descriptor = try? System.openForReading(path) else { continue }
      files.append(HeldFile(kind: kind, descriptor: descriptor, path: path))
    }
    return files
  }

  /// Where the program may lie that reads configurations of other formats: beside the server's, or in the
  /// library directory beside its own.
  public static var readers: [String] { PluginSearch(directories: []).places.map { "\($0)/config_reader" } }
}
