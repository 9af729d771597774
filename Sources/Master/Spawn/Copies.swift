/// The master's own directory, in which nobody else can write.
public struct MasterDirectory: Sendable {
  /// Its path, as children are told of copies in it.
  let path: String
  /// The directory itself: nothing in it is looked up by its path.
  let descriptor: Int32
  /// The group of the processes that read the copies, if they are another user's.
  let group: UInt32?

  /// A directory that was made for this master.
  public init(path: String, descriptor: Int32, group: UInt32?) {
    (self.path, self.descriptor, self.group) = (path, descriptor, group)
  }
}

/// The private copies of builds: gen-NUMBER/NAME in the master's own directory. The master makes and removes
/// each file by a name that it has chosen itself; children fill the files through descriptors, and may read
/// what is in them.
struct Copies {
  /// One copy: its number, and the library's path.
  struct Copy {
    let number: Int
    let path: String
    /// The files, open for writing: the library, then those kept with it.
    let files: [Int32]
  }

  private let directory: MasterDirectory
  /// Names of each copy's files.
  private var names: [Int: [String]] = [:]

  init(in directory: MasterDirectory) { self.directory = directory }

  /// The copies that are there.
  var numbers: Set<Int> { Set(names.keys) }

  /// Makes the empty files of a copy.
  mutating func make(_ number: Int, _ wanted: [String]) throws(SystemError) -> Copy {
    let name = "gen-\(number)"
    try System.makeDirectory(name, in: directory.descriptor)
    names[number] = []
    var files: [Int32] = []
    do throws(SystemError) {
      let copy = try System.openDirectory(name, in: directory.descriptor)
      defer { System.close(copy) }
      for file in wanted {
        files.append(try System.createFile(file, in: copy))
        names[number]!.append(file)
        try System.share(files.last!, with: directory.group, mode: directory.group == nil ? 0o400 : 0o440)
      }
      try System.share(copy, with: directory.group, mode: directory.group == nil ? 0o700 : 0o710)
    } catch {
      for file in files { System.close(file) }
      remove(number)
      throw error
    }
    return Copy(number: number, path: "\(directory.path)/\(name)/\(wanted[0])", files: files)
  }

  /// Removes a copy. Who has it loaded keeps it mapped.
  mutating func remove(_ number: Int) {
    guard let files = names.removeValue(forKey: number) else { return }
    if let copy = try? System.openDirectory("gen-\(number)", in: directory.descriptor) {
      for file in files { System.removeFile(file, in: copy) }
      System.close(copy)
    }
    System.removeDirectory("gen-\(number)", in: directory.descriptor)
  }
}
