/// Where the templates lie that a new application is a copy of: the directory has them in templates/, as the
/// source tree does.
struct Share {
  /// Absolute or relative path of the directory.
  let path: String

  /// The file that says that a directory is one.
  private static let mark = "templates/c/nsgi.h"

  /// $NSGI_SHARE, else share/nsgi beside the executable's directory, else the source tree whose .build it
  /// is in.
  static func find() throws(UsageError) -> Share {
    if let named = FileSystem.variable("NSGI_SHARE") {
      guard FileSystem.exists("\(named)/\(mark)") else {
        throw UsageError("NSGI_SHARE is \(named), where \(mark) is not: correct it, or take it out")
      }
      return Share(path: named)
    }
    let executable = FileSystem.executable()
    let beside = FileSystem.parent(FileSystem.parent(executable)) + "/share/nsgi"
    var candidates = [beside]
    if let build = executable.range(ofPathComponent: ".build") {
      candidates.append(String(executable[..<build]))
    }
    for candidate in candidates where FileSystem.exists("\(candidate)/\(mark)") {
      return Share(path: candidate)
    }
    throw UsageError(
      "\(mark) is not in \(candidates.joined(separator: ", nor in ")): set NSGI_SHARE to the directory that "
        + "has it, such as the source tree of this server")
  }
}

extension String {
  /// Where the last component of this name begins, the slash before it left out.
  fileprivate func range(ofPathComponent name: String) -> Index? {
    var end = endIndex
    while let slash = self[..<end].lastIndex(of: "/") {
      if self[index(after: slash)..<end] == name { return slash }
      end = slash
    }
    return nil
  }
}
