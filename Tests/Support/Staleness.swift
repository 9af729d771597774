// A program that was built before its sources were last written is not the one that is to be tested.
import Foundation

public enum Staleness {
  /// Why a program does not stand for the Swift and C files below some folders; nil if it does.
  public static func reason(of program: String, sources folders: [String]) -> String? {
    guard let built = date(program) else { return "is not there" }
    for folder in folders {
      let paths = FileManager.default.enumerator(atPath: folder)
      while let path = paths?.nextObject() as? String {
        guard [".swift", ".c", ".h"].contains(where: path.hasSuffix) else { continue }
        if let written = date("\(folder)/\(path)"), written > built { return "is older than \(path)" }
      }
    }
    return nil
  }

  private static func date(_ path: String) -> Date? {
    (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
  }
}
