import Control

/// Where the dynamic linker finds a library by its name (ld.so(8)), without asking it: it answers with the
/// library of that name that is already loaded, whatever file that was.
struct LibrarySearch: Sendable {
  /// The library, or the app, for which to look.
  struct Seeker {
    let links: ElfLinks
    /// What $ORIGIN stands for.
    let origin: String
    /// DT_RPATH of the libraries that have loaded it.
    var inherited: [String] = []

    /// A library that it has found.
    func library(_ links: ElfLinks, at path: String) -> Seeker {
      Seeker(links: links, origin: Paths.directory(of: path), inherited: handedDown)
    }

    /// The directories that libraries without a DT_RUNPATH search before all others.
    private var handedDown: [String] {
      (links.runpath == nil ? LibrarySearch.expanded(links.rpath, origin) : []) + inherited
    }

    /// Directories that it names itself, for the linker to search before those of the system; those beside
    /// itself only if `andBeside`.
    func ownPlaces(andBeside: Bool) -> [String] {
      let paths = links.needed.filter { $0.utf8.contains(UInt8(ascii: "/")) }.map(Paths.directory)
      let places = links.rpath + (links.runpath ?? []) + paths
      return LibrarySearch.expanded(places.filter { andBeside || !$0.holds("ORIGIN") }, origin)
    }

    fileprivate var early: [String] { links.runpath == nil ? handedDown : [] }
    fileprivate var late: [String] { LibrarySearch.expanded(links.runpath ?? [], origin) }
  }

  private let environment: [String]
  private let cache: LibraryCache

  /// The linker reads LD_LIBRARY_PATH when the process starts; the caller should do the same.
  init(
    environment: String? = System.environmentValue("LD_LIBRARY_PATH"), cache: LibraryCache = LibraryCache()
  ) {
    let list = (environment ?? "").split(separator: ";").joined(separator: ":")
    self.environment = list.isEmpty ? [] : ElfLinks.directories(list)
    self.cache = cache
  }

  /// Files of that name in the first place that has one. Several if the linker chooses by the processor; none
  /// if it finds none.
  func files(_ name: String, for seeker: Seeker) -> [String] {
    guard !name.utf8.contains(UInt8(ascii: "/")) else {
      return Self.expanded([name], seeker.origin).filter { ElfLinks.of($0) != nil }
    }
    for directory in seeker.early + environment + seeker.late {
      let found = Self.variants(name, in: directory)
      if !found.isEmpty { return found }
    }
    let cached = cache.files(name).filter { ElfLinks.of($0) != nil }
    if !cached.isEmpty { return cached }
    for directory in Self.standard {
      let found = Self.variants(name, in: directory)
      if !found.isEmpty { return found }
    }
    return []
  }

  /// The plain file, and those for certain processors (ld.so(8), "Hardware capabilities").
  private static func variants(_ name: String, in directory: String) -> [String] {
    guard System.exists(directory) else { return [] }
    return ([""] + processors).map { "\(directory)/\($0)\(name)" }
      .filter { System.exists($0) && ElfLinks.of($0) != nil }
  }

  /// Replaces $ORIGIN, $LIB and $PLATFORM, with braces or without.
  private static func expanded(_ directories: [String], _ origin: String) -> [String] {
    directories.flatMap { directory in
      var results = [directory]
      for (name, values) in [("ORIGIN", [origin]), ("LIB", libraries), ("PLATFORM", [platform])] {
        for token in ["${\(name)}", "$\(name)"] {
          results = results.flatMap { text in
            text.holds(token) ? values.map { text.replacing(token, with: $0) } : [text]
          }
        }
      }
      return results
    }
  }

  #if arch(x86_64)
    private static let platform = "x86_64"
    private static let libraries = ["lib/x86_64-linux-gnu", "lib64", "lib"]
    private static let processors = [
      "glibc-hwcaps/x86-64-v4/", "glibc-hwcaps/x86-64-v3/", "glibc-hwcaps/x86-64-v2/", "haswell/", "x86_64/",
    ]
    private static let standard = [
      "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib",
    ]
  #else
    private static let platform = "aarch64"
    private static let libraries = ["lib/aarch64-linux-gnu", "lib64", "lib"]
    private static let processors = ["atomics/", "aarch64/"]
    private static let standard = [
      "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib",
    ]
  #endif
}

extension String {
  fileprivate func holds(_ text: String) -> Bool { firstRange(of: text) != nil }

  fileprivate func replacing(_ old: String, with new: String) -> String {
    var result = ""
    var rest = self[...]
    while let range = rest.firstRange(of: old) {
      result += rest[..<range.lowerBound] + new
      rest = rest[range.upperBound...]
    }
    return result + rest
  }
}
