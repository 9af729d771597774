import Glibc

/// The environment of this process.
public enum ProcessEnvironment {
  /// Each variable as NAME=value, in order. The corresponding C variable is `environ`.
  public static var lines: [String] {
    var result: [String] = []
    var entry = environ
    while let text = entry.pointee {
      result.append(String(cString: text))
      entry += 1
    }
    return result
  }

  /// The variables by their names; what has no `=` is left out.
  public static var values: [String: String] {
    var result: [String: String] = [:]
    for line in lines {
      guard let equals = line.firstIndex(of: "=") else { continue }
      result[String(line[..<equals])] = String(line[line.index(after: equals)...])
    }
    return result
  }
}
