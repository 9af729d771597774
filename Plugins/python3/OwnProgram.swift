// The interpreter's own program as the worker: it is faster than its library, knows its packages and modules
// by itself, and is there where no library is.
import CNSGI
import Glibc

/// The extension `draft.program/1`, by which the server asks (docs/NSGI.md).
private struct ProgramTable {
  let program:
    @convention(c) (
      UnsafePointer<nsgi_boot>?, UnsafePointer<CChar>?, UnsafeMutablePointer<CChar>?, Int
    ) -> Int
}

/// The command line of the Python that serves.
enum OwnProgram {
  /// What `nsgi_app.extension` answers.
  nonisolated(unsafe) static let table: UnsafeRawPointer = {
    let table = UnsafeMutablePointer<ProgramTable>.allocate(capacity: 1)
    table.initialize(
      to: ProgramTable { boot, library, words, capacity in
        guard let boot, let library, let words else { return 0 }
        let options = PythonOptions(boot.pointee.options)
        return OwnProgram.write(options, String(cString: library), words, capacity)
      })
    return UnsafeRawPointer(table)
  }()

  /// worker.py, which the build embeds.
  private static let code = String(decoding: PackageResources.worker_py, as: UTF8.self)

  /// What is wrong with a Python is told when it is loaded: in this program then.
  private static func write(
    _ options: PythonOptions, _ library: String, _ words: UnsafeMutablePointer<CChar>, _ capacity: Int
  ) -> Int {
    guard !options.embeds, !options.runsOnce, let installation = try? Installation.find(options),
      isWhole(options, installation), System.isBinary(installation.realProgram)
    else { return 0 }
    var bytes: [UInt8] = []
    for word in options.environment + [installation.program, "-c", code, library] {
      bytes += Array(word.utf8) + [0]
    }
    guard bytes.count <= capacity else { return 0 }
    for (index, byte) in bytes.enumerated() { words[index] = CChar(bitPattern: byte) }
    return bytes.count
  }

  /// A prefix that has packages only is added to another Python, which the program alone does not do; and an
  /// environment whose Python was replaced by another release would be one without packages.
  private static func isWhole(_ options: PythonOptions, _ installation: Installation) -> Bool {
    let home = System.parent(System.parent(installation.program))
    let isEnvironment = access("\(home)/pyvenv.cfg", F_OK) == 0
    if isEnvironment, access("\(home)/lib/python\(installation.release)", F_OK) != 0 { return false }
    guard options.program == nil, let home = options.home else { return true }
    return installation.program.hasPrefix(Home.absolute(home) + "/bin/")
  }
}
