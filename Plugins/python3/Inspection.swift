// What `server check` needs for a Python application: which Python would serve it, and how to start that one
// to inspect it.
import CNSGI

/// The extension `draft.inspect/1` (docs/NSGI.md).
private struct InspectTable {
  let program: @convention(c) (UnsafePointer<nsgi_boot>?, Int32, UnsafeMutablePointer<CChar>?, Int) -> Int
}

/// The command line that inspects an application with the Python that would serve it.
enum Inspection {
  /// The answer of `nsgi_app.extension`.
  nonisolated(unsafe) static let table: UnsafeRawPointer = {
    let table = UnsafeMutablePointer<InspectTable>.allocate(capacity: 1)
    table.initialize(
      to: InspectTable { boot, loads, words, capacity in
        guard let boot, let words else { return 0 }
        return OwnProgram.write(Inspection.line(boot.pointee, loads: loads != 0), words, capacity)
      })
    return UnsafeRawPointer(table)
  }()

  /// The words; an empty one and a sentence if no Python can serve it.
  private static func line(_ boot: nsgi_boot, loads: Bool) -> [String] {
    let options = PythonOptions(boot.options)
    let installation: Installation
    do throws(LoadFailure) { installation = try Installation.find(options) } catch {
      return ["", error.sentence]
    }
    // Without -S Python runs code that packages have installed (*.pth), and with PYTHONPATH even more.
    let alone = loads ? [] : ["-I", "-S"]
    let code = OwnProgram.text(PackageResources.worker_py) + OwnProgram.text(PackageResources.check_py)
    return (loads ? options.environment : []) + [installation.program] + alone + ["-c", code]
      + [
        loads ? OwnProgram.text(PackageResources.bootstrap_py) : "", options.module ?? "", options.file ?? "",
      ]
      + [options.callable ?? "", options.interface ?? "", options.interfaceOption] + options.path
  }
}
