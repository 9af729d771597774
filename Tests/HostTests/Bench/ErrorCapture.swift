// What the process writes to standard error meanwhile, for tests of the logs.
import Foundation
import Support

/// Runs `body` with standard error going to a file; everything goes on to the real one afterwards.
///
/// - Returns: the text that was written.
func capturingErrors(_ body: () throws -> Void) throws -> String {
  let folder = try TemporaryFolder()
  let file = open(folder.file("errors"), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
  guard file >= 0 else { throw SupportError.system(call: "open", errno: errno) }
  let real = dup(STDERR_FILENO)
  dup2(file, STDERR_FILENO)
  close(file)
  var isRestored = false
  func restore() -> String {
    if isRestored { return "" }
    isRestored = true
    dup2(real, STDERR_FILENO)
    close(real)
    let bytes = FileManager.default.contents(atPath: folder.file("errors")) ?? Data()
    FileHandle.standardError.write(bytes)
    return String(decoding: bytes, as: UTF8.self)
  }
  defer { _ = restore() }
  try body()
  return restore()
}
