// The interpreter's own program as the worker: it is faster than its library, knows its packages and modules
// by itself, and exists even where there is no library.
import CNSGI
import Glibc

/// The extension `draft.program/1`, through which the server asks for it (docs/NSGI.md).
private struct ProgramTable {
  let program:
    @convention(c) (
      UnsafePointer<nsgi_boot>?, UnsafePointer<CChar>?, UnsafeMutablePointer<CChar>?, Int
    ) -> Int
}

/// The extension `draft.preload/1`: the same program as a zygote, and what it has to load.
private struct PreloadTable {
  let program:
    @convention(c) (
      UnsafePointer<nsgi_boot>?, UnsafePointer<CChar>?, UnsafeMutablePointer<CChar>?, Int
    ) -> Int
  let application: @convention(c) (UnsafePointer<nsgi_boot>?, UnsafeMutablePointer<CChar>?, Int) -> Int
}

/// The command line of the Python that serves.
enum OwnProgram {
  /// The answer of `nsgi_app.extension`.
  nonisolated(unsafe) static let table: UnsafeRawPointer = {
    let table = UnsafeMutablePointer<ProgramTable>.allocate(capacity: 1)
    table.initialize(
      to: ProgramTable { boot, library, words, capacity in
        guard let boot, let library, let words else { return 0 }
        let options = PythonOptions(boot.pointee.options)
        let line = OwnProgram.program(options).map {
          $0 + ["-c", OwnProgram.code(then: OwnProgram.serving), String(cString: library)]
        }
        return OwnProgram.write(line ?? [], words, capacity)
      })
    return UnsafeRawPointer(table)
  }()

  /// The same for applications that are loaded before there are workers.
  nonisolated(unsafe) static let preloadTable: UnsafeRawPointer = {
    let table = UnsafeMutablePointer<PreloadTable>.allocate(capacity: 1)
    table.initialize(
      to: PreloadTable(
        program: { boot, library, words, capacity in
          guard let boot, let library, let words else { return 0 }
          let options = PythonOptions(boot.pointee.options)
          let line = OwnProgram.program(options).map {
            $0 + ["-c", OwnProgram.code(then: OwnProgram.text(PackageResources.zygote_py)), ""]
              + [String(cString: library), OwnProgram.text(PackageResources.bootstrap_py)]
              + OwnProgram.inside(options)
          }
          return OwnProgram.write(line ?? [], words, capacity)
        },
        application: { boot, words, capacity in
          guard let boot, let words else { return 0 }
          return OwnProgram.write(OwnProgram.application(boot.pointee), words, capacity)
        }))
    return UnsafeRawPointer(table)
  }()

  /// What the program of a worker does beyond worker.py.
  private static let serving = "serve(sys.argv[1])\n"

  /// worker.py, which the build embeds, followed by more.
  private static func code(then more: String) -> String { text(PackageResources.worker_py) + more }

  /// What a zygote has instead of the plugin: what the server says about itself, and the plugin's modules;
  /// the number of pairs of words, then the pairs. They may include values of a configuration that only its
  /// owner may read, so they are never put into a command line, which everybody may read.
  private static func inside(_ options: PythonOptions) -> [String] {
    let modules = Functions.modules.filter { options.offersUWSGI || $0.name == "_nsgi_keep" }
      .map { (key: $0.name, value: text($0.text)) }
    return [options.told, modules].flatMap { pairs in
      ["\(pairs.count)"] + pairs.flatMap { [$0.key, $0.value] }
    }
  }

  static func text(_ resource: [UInt8]) -> String { String(decoding: resource, as: UTF8.self) }

  /// The program, preceded by its variables; nil if Python should run in this process. An error in a Python
  /// is reported when it is loaded, in this program then.
  private static func program(_ options: PythonOptions) -> [String]? {
    guard !options.embeds, !options.runsOnce, let installation = try? Installation.find(options),
      isWhole(options, installation), System.isBinary(installation.realProgram)
    else { return nil }
    return options.environment.filter { !$0.isEmpty } + [installation.program]
  }

  /// What zygote.py is told about an application, in its order.
  private static func application(_ boot: nsgi_boot) -> [String] {
    let options = PythonOptions(boot.options)
    let version = boot.host.pointee.version.map { String(cString: $0) } ?? ""
    return [
      "\(boot.generation)", version, options.arguments.joined(separator: " "), options.module ?? "",
      options.file ?? "", options.callable ?? "", options.kept ?? "",
    ] + options.path
  }

  static func write(
    _ line: [String], _ words: UnsafeMutablePointer<CChar>, _ capacity: Int
  ) -> Int {
    let bytes: [UInt8] = line.reduce(into: []) { $0 += Array($1.utf8) + [0] }
    guard bytes.count <= capacity else { return 0 }
    for (index, byte) in bytes.enumerated() { words[index] = CChar(bitPattern: byte) }
    return bytes.count
  }

  /// A prefix with only packages is added to another Python, which the program alone does not do; and an
  /// environment whose Python was replaced by another release would have no packages.
  private static func isWhole(_ options: PythonOptions, _ installation: Installation) -> Bool {
    let home = System.parent(System.parent(installation.program))
    let isEnvironment = access("\(home)/pyvenv.cfg", F_OK) == 0
    if isEnvironment, access("\(home)/lib/python\(installation.release)", F_OK) != 0 { return false }
    guard options.program == nil, let home = options.home else { return true }
    return installation.program.hasPrefix(Home.absolute(home) + "/bin/")
  }
}
