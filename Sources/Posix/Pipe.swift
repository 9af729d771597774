import CLinux

/// A pipe whose ends no program inherits unless it is given one.
public enum Pipe {
  /// Its ends; the caller's to close. The corresponding C function is `pipe2` with O_CLOEXEC.
  public static func make() throws(SystemError) -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [-1, -1]
    guard clinux_pipe(&ends) == 0 else { throw SystemError("pipe2") }
    return (ends[0], ends[1])
  }
}
