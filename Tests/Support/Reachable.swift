// Files of the project for processes of other users. A source tree may lie where nobody else may look, such
// as in the home of root.
import Foundation

/// Where other users find a file.
public enum Reachable {
  /// The path of a program or a library that every user may read and run: its own, or that of a copy in
  /// `folder`, which has to be open to all.
  public static func path(_ path: String, in folder: TemporaryFolder) throws -> String {
    if isOpen(path) { return path }
    // All in one folder: a server finds its plugins beside it.
    try folder.folder("reachable")
    let copy = folder.file("reachable/" + URL(fileURLWithPath: path).lastPathComponent)
    if access(copy, F_OK) != 0 {
      // In a process of its own: written here, a child that another test starts meanwhile would hold it open.
      let (exit, output) = try ChildProcess.run("/bin/cp", [path, copy])
      guard exit == .status(0), chmod(copy, 0o755) == 0 else {
        throw SupportError.ended(program: "cp", exit: exit, output: output)
      }
    }
    return copy
  }

  /// Whether others may pass every folder above a file and read it.
  static func isOpen(_ path: String) -> Bool {
    guard let real = realpath(path, nil) else { return true }
    defer { free(real) }
    var url = URL(fileURLWithPath: String(cString: real))
    var bits: mode_t = 0o004
    while true {
      var status = stat()
      guard stat(url.path, &status) == 0, status.st_mode & bits == bits else { return false }
      guard url.path != "/" else { return true }
      url.deleteLastPathComponent()
      bits = 0o001
    }
  }
}
