import Glibc

/// The files that processes run.
public enum ProgramFile {
  /// Where a link of /proc leads, such as /proc/self/exe: the file, or where it was before another took its
  /// place; empty if that cannot be found out. The corresponding C function is `readlink`.
  public static func path(of link: String) -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(link, &buffer, buffer.count - 1)
    let path = String(decoding: buffer[..<max(0, count)].map(UInt8.init(bitPattern:)), as: UTF8.self)
    let mark = " (deleted)"
    return path.hasSuffix(mark) ? String(path.dropLast(mark.count)) : path
  }
}
