/// The master's own directory, in which nobody else can write.
public struct MasterDirectory: Sendable {
  /// Its path, by which children are told of copies in it.
  let path: String
  /// The directory itself: nothing in it is looked up by its path.
  let descriptor: Int32
  /// The group of the processes that read the copies, if they run as another user.
  let group: UInt32?

  /// A directory that was made for this master.
  public init(path: String, descriptor: Int32, group: UInt32?) {
    (self.path, self.descriptor, self.group) = (path, descriptor, group)
  }
}

/// The private copies of builds: gen-NUMBER/NAME in the master's own directory. The master makes and removes
/// each file under a name that it has chosen itself; children fill the files through descriptors, and may
/// read them. It holds a descriptor of each: files removed by a cleaner of temporary files are made again.
struct Copies {
  /// One copy: its number, and the library's path.
  struct Copy {
    let number: Int
    let path: String
    /// The files, open for writing: the library, then those kept with it.
    let files: [Int32]
  }

  /// A file of a copy, and the descriptor that keeps its contents; -1 while it is being filled.
  private struct File {
    let name: String
    var held: Int32 = -1
  }

  private var directory: MasterDirectory
  /// The files of each copy.
  private var files: [Int: [File]] = [:]

  init(in directory: MasterDirectory) { self.directory = directory }

  /// The existing copies.
  var numbers: Set<Int> { Set(files.keys) }

  /// Nobody has removed the directory itself.
  var hasDirectory: Bool { System.hasName(directory.descriptor) }

  /// The directory was made again: its contents come with `mend`.
  mutating func move(to directory: MasterDirectory) { self.directory = directory }

  /// Makes the empty files of a copy.
  mutating func make(_ number: Int, _ wanted: [String]) throws(SystemError) -> Copy {
    try System.makeDirectory("gen-\(number)", in: directory.descriptor)
    files[number] = []
    var open: [Int32] = []
    do throws(SystemError) {
      let copy = try System.openDirectory("gen-\(number)", in: directory.descriptor)
      defer { System.close(copy) }
      for name in wanted {
        open.append(try System.createFile(name, in: copy))
        files[number]!.append(File(name: name))
        try System.share(open.last!, with: directory.group, mode: directory.group == nil ? 0o400 : 0o440)
      }
      try System.share(copy, with: directory.group, mode: directory.group == nil ? 0o700 : 0o710)
    } catch {
      for file in open { System.close(file) }
      remove(number)
      throw error
    }
    return Copy(number: number, path: "\(directory.path)/gen-\(number)/\(wanted[0])", files: open)
  }

  /// The files are filled: holds them from now on. One without a descriptor is only a name.
  mutating func hold(_ number: Int) {
    guard let copy = try? System.openDirectory("gen-\(number)", in: directory.descriptor) else { return }
    defer { System.close(copy) }
    for index in files[number]?.indices ?? 0..<0 {
      files[number]![index].held = (try? System.openFile(files[number]![index].name, in: copy)) ?? -1
    }
  }

  /// Makes again files that have lost their names; true if any had.
  mutating func mend(_ number: Int) throws(SystemError) -> Bool {
    guard let list = files[number], list.contains(where: { $0.held >= 0 && !System.hasName($0.held) }) else {
      return false
    }
    try? System.makeDirectory("gen-\(number)", in: directory.descriptor)
    let copy = try System.openDirectory("gen-\(number)", in: directory.descriptor)
    defer { System.close(copy) }
    for file in list where file.held >= 0 && !System.hasName(file.held) {
      System.removeFile(file.name, in: copy)
      let fresh = try System.createFile(file.name, in: copy)
      defer { System.close(fresh) }
      try System.copy(file.held, to: fresh)
      try System.share(fresh, with: directory.group, mode: directory.group == nil ? 0o400 : 0o440)
    }
    try System.share(copy, with: directory.group, mode: directory.group == nil ? 0o700 : 0o710)
    for file in list where file.held >= 0 { System.close(file.held) }
    hold(number)
    return true
  }

  /// Removes a copy. Processes that have loaded it keep it mapped.
  mutating func remove(_ number: Int) {
    guard let list = files.removeValue(forKey: number) else { return }
    for file in list where file.held >= 0 { System.close(file.held) }
    if let copy = try? System.openDirectory("gen-\(number)", in: directory.descriptor) {
      for file in list { System.removeFile(file.name, in: copy) }
      System.close(copy)
    }
    System.removeDirectory("gen-\(number)", in: directory.descriptor)
  }
}
