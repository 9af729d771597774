import Control

/// A library that an app would get from somebody else in the process, although it is not the file that the
/// app finds by itself.
public struct LibraryConflict: Equatable, Sendable, CustomStringConvertible {
  /// The name that it is linked by.
  let name: String
  /// Who needs it: the app's file, or a library that it loads.
  let user: String
  /// The file that is found for it.
  let wanted: String
  let loaded: String
  /// Who has loaded that one.
  let owner: LoadedLibraries.Owner

  /// Both files and both users, after the name of the app, and what to do.
  public var description: String {
    let file = loaded == wanted ? "the file that was there before" : loaded
    let need = "needs \(name) from \(wanted) (for \(user))"
    return switch owner {
    case .server: "\(need), and the server itself has loaded \(file) by that name: the app gets that one"
    case .app(let other):
      "\(need), and \(other) has loaded \(file) by that name, of which a process can have one only: build "
        + "them for the same file, or serve them by two servers"
    }
  }
}

/// Checks whether an app gets the libraries that it would have in a process of its own. The linker says
/// nothing if it does not: such an app calls into other code than it was built with.
package struct LibraryCheck {
  private static let search = LibrarySearch()
  private let search: LibrarySearch
  private let libraries: LoadedLibraries

  init(_ libraries: LoadedLibraries, search: LibrarySearch = LibraryCheck.search) {
    (self.libraries, self.search) = (libraries, search)
  }

  /// Of this process.
  package init() { self.init(.shared) }

  /// Before anything of the app is loaded: checks everything that it links, directly or through others.
  func before(_ copy: PrivateCopy) -> [LibraryConflict] {
    var result: [LibraryConflict] = []
    walk(copy) { name, user, files in
      guard let loaded = libraries.provider(of: name) else { return files.first }
      if let conflict = conflict(name, user, files, loaded) { result.append(conflict) }
      // Libraries that it links came with it.
      return nil
    }
    return result
  }

  /// After load(): checks the libraries that came with the app, including those that it has opened by itself.
  func after(_ copy: PrivateCopy, _ fresh: [LoadedLibraries.Library]) -> [LibraryConflict] {
    let own = Set(fresh.map(\.path))
    let app = LibrarySearch.Seeker(
      links: ElfLinks.of(copy.path) ?? ElfLinks(), origin: Paths.directory(of: copy.source))
    var result: [LibraryConflict] = []
    for library in fresh where !libraries.isCopy(library.path) {
      guard let links = ElfLinks.of(library.path) else { continue }
      let seeker = app.library(links, at: library.path)
      for name in links.needed {
        guard let loaded = libraries.provider(of: name), !own.contains(loaded.path) else { continue }
        let files = search.files(name, for: seeker)
        if let conflict = conflict(name, library.path, files, loaded) { result.append(conflict) }
      }
    }
    return result
  }

  /// The file of each library that a file links, directly or through others; nil for one that is found
  /// nowhere and that this process has not loaded either.
  package func files(of copy: PrivateCopy) -> [(name: String, user: String, file: String?)] {
    var result: [(name: String, user: String, file: String?)] = []
    walk(copy) { name, user, files in
      let file = files.first ?? System.loadedLibrary(name)
      result.append((name, user, file))
      return file
    }
    return result
  }

  /// A directory in which a file, or a library that it links, makes the linker look, and where others than
  /// root and this user may put a library; nil if there is none. There is nothing beside the file itself,
  /// which is a private copy.
  func openPlace(of copy: PrivateCopy) -> (user: String, directory: String)? {
    var result: (user: String, directory: String)?
    walk(
      copy,
      seekers: { user, seeker in
        let places = seeker.ownPlaces(andBeside: user != copy.source)
        guard result == nil, let place = places.first(where: { !System.isGuarded($0) }) else { return }
        result = (user, place)
      }
    ) { $2.first }
    return result
  }

  /// In the linker's order: level by level, each name once. `visit` gets the files of a name, and says with
  /// which one to go on.
  private func walk(
    _ copy: PrivateCopy, seekers: (_ user: String, LibrarySearch.Seeker) -> Void = { _, _ in },
    _ visit: (_ name: String, _ user: String, [String]) -> String?
  ) {
    guard let links = ElfLinks.of(copy.path) else { return }
    var open = [(copy.source, LibrarySearch.Seeker(links: links, origin: Paths.directory(of: copy.source)))]
    var next = 0
    var seen: Set<String> = []
    while next < open.count {
      let (user, seeker) = open[next]
      next += 1
      seekers(user, seeker)
      for name in seeker.links.needed where seen.insert(name).inserted {
        guard let file = visit(name, user, search.files(name, for: seeker)),
          let links = ElfLinks.of(file)
        else { continue }
        open.append((file, seeker.library(links, at: file)))
      }
    }
  }

  /// Nil if the loaded library is one of the files, or the same byte for byte.
  private func conflict(
    _ name: String, _ user: String, _ files: [String], _ loaded: LoadedLibraries.Library
  ) -> LibraryConflict? {
    guard let wanted = files.first, let identity = loaded.identity else { return nil }
    if files.contains(where: { FileIdentity($0) == identity }) { return nil }
    // The file there with the loaded one's name is the one that was loaded.
    if FileIdentity(loaded.path) == identity, let copy = try? PrivateCopy(source: "", path: loaded.path),
      copy.equals(wanted)
    {
      return nil
    }
    return LibraryConflict(
      name: name, user: user, wanted: wanted, loaded: loaded.path, owner: loaded.owner)
  }
}
